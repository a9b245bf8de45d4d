/**
 * A package that was built from other sources is noticed.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SOURCES, sourcesDigest } from "../../scripts/staleness.ts";
import { ROOT } from "../../scripts/toolchain.ts";

Deno.test("the digest of the sources changes with a line, a new file and a name, and with nothing else", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    for (const path of SOURCES) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
    const digests = [sourcesDigest()];
    assertEquals(sourcesDigest(folder), digests[0]);
    writeFileSync(join(folder, "src/lib.ts"), "// changed\n", { flag: "a" });
    digests.push(sourcesDigest(folder));
    writeFileSync(join(folder, "adapters/new.ts"), "");
    digests.push(sourcesDigest(folder));
    renameSync(join(folder, "adapters/new.ts"), join(folder, "adapters/renamed.ts"));
    digests.push(sourcesDigest(folder));
    assertEquals(new Set(digests).size, digests.length);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
