/**
 * Errors in the contract's form.
 *
 * @module
 */

import type { SocketError, SocketErrorCode } from "../src/runtime/contract.ts";

/** Our code for each error name of the system. */
export type Codes = Readonly<Record<string, SocketErrorCode>>;

/** The parts of an error beside the problem itself. */
export interface SocketErrorOptions {
  readonly code: SocketErrorCode;
  /** The reason in a few words. By default, the message of the cause. */
  readonly why?: string;
  readonly cause?: unknown;
}

/** An error whose message says what went wrong, and why. */
export function socketError(problem: string, { code, cause, why }: SocketErrorOptions): SocketError {
  const reason = why ?? (cause as Error | undefined)?.message;
  const error = new Error(reason ? `${problem}: ${reason}` : problem, { cause });
  return Object.assign(error, { name: "SocketError", code });
}
