/**
 * Test vectors from other projects' test suites. They are beside the checkout, if at all.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import { ROOT } from "../../scripts/toolchain.ts";

/** Where the vectors are. */
export const CORPUS: string = join(ROOT, "../shared/corpus");

/** Whether the corpus exists. If not, the tests say so. */
export const CORPUS_EXISTS: boolean = existsSync(CORPUS);

/** The cases of a file. Undefined if the file does not exist. */
export function readCases<Case>(file: string): Case[] | undefined {
  const path = join(CORPUS, file);
  if (!existsSync(path)) return undefined;
  return readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** The bytes under a key of every case of a file. Empty without the corpus. */
export function corpusBytes(file: string, key: string): Uint8Array[] {
  const cases = readCases<Record<string, string>>(file) ?? [];
  return cases.map((record) => Uint8Array.from(Buffer.from(record[key], "base64")));
}
