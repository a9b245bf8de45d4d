import { assertEquals } from "@std/assert";
import { SocketStream } from "../../adapters/deno_stream.ts";

const ADDRESS = { transport: "tcp", hostname: "127.0.0.1", port: 8899 } as const;

/** How a stream ends whose write has failed, and whose read then says that there is no more. */
async function endBehind(name: string): Promise<string> {
  const stream = new SocketStream({
    localAddr: ADDRESS,
    remoteAddr: ADDRESS,
    read: () => Promise.resolve(null),
    write: () => Promise.reject(Object.assign(new Error("write"), { name })),
    closeWrite: () => Promise.resolve(),
    close() {},
  });
  await stream.write(new Uint8Array(1)).catch(() => {});
  return await new Promise((resolve) =>
    stream.pull({
      lend: () => new Uint8Array(10),
      receive: () => false,
      end: () => resolve("end"),
      fail: (error) => resolve((error as { code: string }).code),
    })
  );
}

Deno.test("a connection that a failed write has found gone does not look like one that has ended", async () => {
  for (const name of ["ConnectionReset", "TimedOut", "NetworkUnreachable"]) {
    assertEquals(await endBehind(name), "connection_terminated", name);
  }
  // What a write behind the peer's FIN meets.
  assertEquals(await endBehind("BrokenPipe"), "end");
});
