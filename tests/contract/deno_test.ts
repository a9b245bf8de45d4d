import { testDeno } from "./suite.ts";

testDeno();
