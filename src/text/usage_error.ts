/**
 * The error for what a person wrote and the proxy cannot use.
 *
 * @module
 */

/**
 * An option, endpoint, duration or file that cannot be used. The message is one line (of a file: one for each
 * line that is wrong) that quotes what was given and says what to give instead; the command line prints it and exits with 2.
 *
 * @example
 * ```ts
 * throw new UsageError('Invalid port "80a": give a number from 0 to 65535');
 * ```
 */
export class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}
