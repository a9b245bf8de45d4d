import { assertEquals, assertRejects } from "@std/assert";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTextFile } from "../../src/text/text_file.ts";
import { UsageError } from "../../src/text/usage_error.ts";

Deno.test("readTextFile() reads UTF-8, leaves a byte order mark out, and says what it cannot read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const path = join(folder, "file");
    await writeFile(path, "\uFEFFä\r\n");
    assertEquals(await readTextFile(path, "the rules"), "ä\r\n");
    await writeFile(path, Uint8Array.of(0x61, 0xFF, 0x62));
    assertEquals(await readTextFile(path, "the rules"), "a\uFFFDb");
    await truncate(path, 64 * 1024 * 1024 + 1);
    await assertRejects(
      () => readTextFile(path, "the rules"),
      UsageError,
      `Cannot read the rules "${path}": it is larger`,
    );
    for (const missing of [join(folder, "none"), folder]) {
      await assertRejects(
        () => readTextFile(missing, "the rules"),
        UsageError,
        `Cannot read the rules "${missing}": `,
      );
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
