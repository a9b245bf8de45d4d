/**
 * Files of text that people name: users, rules, certificates.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { UsageError } from "./usage_error.ts";

/** The most bytes of such a file. */
const MAX_SIZE = 64 * 1024 * 1024;

/**
 * Reads a file of text. Errors call it `what`, such as "the rules".
 *
 * @throws {UsageError} If it cannot be read. The message has the runtime's own words, which may name a permission.
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

/** Reads the text of a file. Errors call it `what`. Rejects with a `UsageError` if the file cannot be read. */
export type ReadText = (path: string, what: string) => Promise<string>;

/** Paths and the texts that were read there. They can be sent to a worker. */
export type Texts = readonly (readonly [path: string, text: string])[];

/**
 * The files of one configuration. Each is read once. A process can hand over the texts that it has read and checked.
 * These are not read from the disk again, because the file may be broken by now.
 */
export class TextFiles {
  readonly #texts: Map<string, string>;

  /** Takes texts that were read before. */
  constructor(texts: Texts = []) {
    this.#texts = new Map(texts);
  }

  /** The texts that were handed over, and those that were read so far. */
  get texts(): Texts {
    return [...this.#texts];
  }

  /** Whether the text is here already. */
  has(path: string): boolean {
    return this.#texts.has(path);
  }

  /** See {@linkcode readTextFile}. If a file cannot be read, the next call tries again. */
  readonly read: ReadText = async (path, what) => {
    const known = this.#texts.get(path);
    if (known !== undefined) return known;
    const text = await readTextFile(path, what);
    this.#texts.set(path, text);
    return text;
  };
}
