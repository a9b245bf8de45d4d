/**
 * Files of text that people name: users, rules, certificates.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { UsageError } from "./usage_error.ts";

/** More than any of these files has a reason to be, in bytes. */
const MAX_SIZE = 64 * 1024 * 1024;

/**
 * Reads a file of text. `what` names it to people, such as "the rules".
 *
 * @throws {UsageError} If it cannot be read; the message has the runtime's own words, which may name a permission.
 */
export async function readTextFile(path: string, what: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot read ${what} "${path}": ${(cause as Error).message}`, { cause });
  }
  if (bytes.length > MAX_SIZE) {
    throw new UsageError(`Cannot read ${what} "${path}": it is larger than 64 MiB`);
  }
  return new TextDecoder().decode(bytes);
}
