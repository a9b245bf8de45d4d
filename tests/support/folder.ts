/**
 * Places for the files of a test.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that goes with the test. */
export interface Folder extends Disposable {
  /** Where it is. */
  readonly path: string;
}

/** Makes a new folder, which is removed with all that is in it. */
export function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "sluice-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}
