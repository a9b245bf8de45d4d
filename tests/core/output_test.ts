import { assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_WRITE, openOutput } from "../../src/observe/output.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    await test(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

Deno.test("output: a file is appended to", () =>
  withFolder(async (folder) => {
    const path = join(folder, "access.log");
    await writeFile(path, "old\n");
    const output = await openOutput(path);
    await output.write(bytes("one\n"));
    await output.write(bytes("two\n"));
    assertEquals(await readFile(path, "utf8"), "old\none\ntwo\n");
  }));

Deno.test("output: bytes beyond one write arrive in order", () =>
  withFolder(async (folder) => {
    const path = join(folder, "access.log");
    const text = Array.from({ length: MAX_WRITE }, (_, i) => `${i}\n`).join("");
    await (await openOutput(path)).write(bytes(text));
    assertEquals(await readFile(path, "utf8"), text);
  }));

Deno.test("output: a file that was renamed gets no more once it is opened anew", () =>
  withFolder(async (folder) => {
    const path = join(folder, "access.log");
    const output = await openOutput(path);
    const long = `${"old".repeat(MAX_WRITE)}\n`;
    const writing = output.write(bytes(long));
    await rename(path, `${path}.1`);
    await output.reopen();
    await writing;
    await output.write(bytes("new\n"));
    assertEquals(await readFile(`${path}.1`, "utf8"), long, "A write under way ends where it began");
    assertEquals(await readFile(path, "utf8"), "new\n");
  }));

Deno.test("output: where opening anew fails, the file that is open stays in use", () =>
  withFolder(async (folder) => {
    const path = join(folder, "logs", "access.log");
    await mkdir(join(folder, "logs"));
    const output = await openOutput(path);
    await rename(join(folder, "logs"), join(folder, "moved"));
    await assertRejects(() => output.reopen());
    await output.write(bytes("on\n"));
    assertEquals(await readFile(join(folder, "moved", "access.log"), "utf8"), "on\n");
  }));

Deno.test("output: a new file is not for everybody", () =>
  withFolder(async (folder) => {
    const path = join(folder, "access.log");
    await openOutput(path);
    assertEquals((await stat(path)).mode & 0o007, 0);
  }));

Deno.test("output: a file that cannot be opened is an error", () =>
  withFolder(async (folder) => {
    const error = await assertRejects(() => openOutput(join(folder, "none", "access.log")));
    assertInstanceOf(error, Error);
    assertMatch(error.message, /no such file/i);
  }));

Deno.test("output: a full disk is tried again until it has room, and told of once", async () => {
  const troubles: string[] = [];
  const delays: number[] = [];
  let enough = () => {};
  const third = new Promise<void>((resolve) => enough = resolve);
  const output = await openOutput("/dev/full", {
    onTrouble: (error) => troubles.push((error as { code: string }).code),
    clock: {
      schedule(delay, callback) {
        delays.push(delay);
        (delays.length < 3 ? callback : enough)();
        return () => {};
      },
    },
  });
  output.write(bytes("one\n"));
  await third;
  assertEquals(troubles, ["ENOSPC"]);
  assertEquals(delays, [1_000, 1_000, 1_000]);
});
