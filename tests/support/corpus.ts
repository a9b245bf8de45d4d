/**
 * Messages from other projects' test suites, to begin from. They lie beside the checkout where there are any.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Buffer } from "node:buffer";
import { ROOT } from "./toolchain.ts";

const FOLDER = join(ROOT, "../shared/corpus");

/** Whether the corpus is there; tests say so where it is not. */
export const CORPUS_EXISTS: boolean = existsSync(FOLDER);

/** The bytes under a key of every record of a file; none where the corpus is absent. */
export function corpusBytes(file: string, key: string): Uint8Array[] {
  if (!CORPUS_EXISTS) return [];
  const lines = readFileSync(join(FOLDER, file), "utf8").split("\n").filter((line) => line !== "");
  return lines.map((line) => Uint8Array.from(Buffer.from(JSON.parse(line)[key], "base64")));
}
