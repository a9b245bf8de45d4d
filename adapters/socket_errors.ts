/**
 * Errors in the contract's form.
 *
 * @module
 */

import type { SocketError, SocketErrorCode } from "../src/runtime/contract.ts";

/** From the system's name of an error to ours. */
export type Codes = Readonly<Record<string, SocketErrorCode>>;

/** What is known of an error beside the problem itself. */
export interface SocketErrorOptions {
  readonly code: SocketErrorCode;
  /** In a few words; what the cause says by default. */
  readonly why?: string;
  readonly cause?: unknown;
}

/** What went wrong, and why. */
export function socketError(problem: string, { code, cause, why }: SocketErrorOptions): SocketError {
  const reason = why ?? (cause as Error | undefined)?.message;
  const error = new Error(reason ? `${problem}: ${reason}` : problem, { cause });
  return Object.assign(error, { name: "SocketError", code });
}
