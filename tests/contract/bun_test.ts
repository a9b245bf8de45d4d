import { testBun } from "./suite.ts";

testBun();
