/**
 * The sentences of `src/runtime/contract.ts` as test cases.
 *
 * @module
 */

import { ADDRESS_CASES } from "./address_cases.ts";
import { DATAGRAM_CASES } from "./datagram_cases.ts";
import { ENDING_CASES } from "./ending_cases.ts";
import { EXHAUSTION_CASES } from "./exhaustion_cases.ts";
import { LISTENING_CASES } from "./listening_cases.ts";
import type { Case } from "./links.ts";
import { TLS_CASES } from "./tls_cases.ts";
import { TLS_FORGERY_CASES } from "./tls_forgery_cases.ts";
import { TLS_HANDSHAKE_CASES } from "./tls_handshake_cases.ts";
import { RESOLVE_CASES } from "./resolve_cases.ts";
import { TRANSFER_CASES } from "./transfer_cases.ts";

export const CASES: readonly Case[] = [
  ...ADDRESS_CASES,
  ...TRANSFER_CASES,
  ...ENDING_CASES,
  ...LISTENING_CASES,
  ...TLS_CASES,
  ...TLS_FORGERY_CASES,
  ...TLS_HANDSHAKE_CASES,
  ...RESOLVE_CASES,
  ...DATAGRAM_CASES,
  ...EXHAUSTION_CASES,
];
