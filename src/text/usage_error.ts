/**
 * The error for what a person wrote and the proxy cannot use.
 *
 * @module
 */

/**
 * An option, endpoint, duration or file that cannot be used. The message quotes what was given, unless it may be a
 * secret, and says what to give instead. It is one line, or one for each wrong line of a file. The program prints it
 * and exits with 2.
 *
 * @example
 * ```ts
 * import { createProxy, UsageError } from "sluice";
 *
 * const error = await createProxy({ listen: "127.0.0.1:80a" }).catch((error: unknown) => error);
 * error instanceof UsageError; // true
 * ```
 */
export class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}
