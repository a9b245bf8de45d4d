/**
 * The sentences of `src/runtime.ts` as cases.
 *
 * @module
 */

import { ADDRESS_CASES } from "./address_cases.ts";
import { ENDING_CASES } from "./ending_cases.ts";
import { EXHAUSTION_CASES } from "./exhaustion_cases.ts";
import { LISTENING_CASES } from "./listening_cases.ts";
import type { Case } from "./links.ts";
import { TRANSFER_CASES } from "./transfer_cases.ts";

export const CASES: readonly Case[] = [
  ...ADDRESS_CASES,
  ...TRANSFER_CASES,
  ...ENDING_CASES,
  ...LISTENING_CASES,
  ...EXHAUSTION_CASES,
];
