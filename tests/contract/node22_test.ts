import { testNode } from "./suite.ts";

testNode("node22");
