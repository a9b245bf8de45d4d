/**
 * Places for the files of a test.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is removed after the test. */
export interface Folder extends Disposable {
  /** Its path. */
  readonly path: string;
}

/** Makes a new folder, which is removed with everything in it. */
export function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "sluice-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
