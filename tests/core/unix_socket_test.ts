import { assert, assertEquals, assertRejects } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { lstat, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { detectRuntime } from "../../src/detect_runtime.ts";
import type { ListenOptions, UnixAddress } from "../../src/runtime/contract.ts";
import { listenUnix } from "../../src/listeners/unix_socket.ts";
import { UsageError } from "../../src/text/usage_error.ts";

async function withFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    await body(join(folder, "sluice.sock"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function modeOf(path: string): Promise<number> {
  return (await lstat(path)).mode & 0o777;
}

Deno.test("listenUnix(): the owner alone may connect, unless told otherwise", async () => {
  const runtime = await detectRuntime();
  await withFolder(async (path) => {
    for (const [mode, expected] of [[undefined, 0o600], [0o666, 0o666]] as const) {
      const listener = await listenUnix(runtime, { address: { path }, mode });
      assertEquals(await modeOf(path), expected);
      await listener.close();
    }
  });
});

Deno.test("listenUnix(): while a socket has not its mode yet, only its owner can get to it", async () => {
  const runtime = await detectRuntime();
  await withFolder(async (path) => {
    const umask = process.umask(0);
    try {
      const seen: unknown[] = [];
      const watched = {
        dial: runtime.dial.bind(runtime),
        async listen(options: ListenOptions) {
          const listener = await runtime.listen(options);
          const bound = (options.address as UnixAddress).path;
          seen.push([existsSync(path), await modeOf(dirname(bound))]);
          return listener;
        },
      };
      const listener = await listenUnix(watched, { address: { path }, mode: 0o660 });
      assertEquals(seen, [[false, 0o700]]);
      assertEquals([await modeOf(path), listener.address], [0o660, { path }]);
      assertEquals(await readdir(dirname(path)), ["sluice.sock"]);
      const stream = await runtime.dial({ path });
      await stream.readable.cancel();
      await listener.close();
      await listener.close();
      assertEquals(await readdir(dirname(path)), []);
    } finally {
      process.umask(umask);
    }
  });
});

Deno.test("listenUnix(): a file that has come in place of its own is left alone", async () => {
  const runtime = await detectRuntime();
  await withFolder(async (path) => {
    const first = await listenUnix(runtime, { address: { path } });
    await rm(path);
    const second = await listenUnix(runtime, { address: { path } });
    await first.close();
    assert((await lstat(path)).isSocket());
    await second.close();
    assertEquals(existsSync(path), false);
  });
});

Deno.test("listenUnix(): what a process has left behind is replaced", async () => {
  const runtime = await detectRuntime();
  await withFolder(async (path) => {
    // A process that is killed cannot unlink its socket.
    const script = `require("net").createServer().listen(${
      JSON.stringify(path)
    }, () => console.log("listening"))`;
    const child = spawn(process.execPath, ["eval", script.replace("require", "process.getBuiltinModule")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout!, "data");
    const closed = once(child, "close");
    process.kill(child.pid!, "SIGKILL");
    await closed;
    assert((await lstat(path)).isSocket());
    const listener = await listenUnix(runtime, { address: { path } });
    assertEquals(await modeOf(path), 0o600);
    await listener.close();
  });
});

Deno.test("listenUnix(): a socket that somebody listens on, and any other file, are left alone", async () => {
  const runtime = await detectRuntime();
  await withFolder(async (path) => {
    const listener = await listenUnix(runtime, { address: { path } });
    const { ino } = await lstat(path);
    const error = await assertRejects(() => listenUnix(runtime, { address: { path } }));
    assertEquals((error as { code?: unknown }).code, "address_in_use");
    assertEquals((await lstat(path)).ino, ino);
    await listener.close();

    await writeFile(path, "precious");
    await assertRejects(() => listenUnix(runtime, { address: { path } }), UsageError, "no socket");
    assertEquals(await Deno.readTextFile(path), "precious");
  });
});
