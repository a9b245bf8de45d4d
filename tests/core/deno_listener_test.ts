import { assertEquals } from "@std/assert";
import { type DenoListener, SocketListener } from "../../adapters/deno.ts";

const ADDRESS = { transport: "tcp", hostname: "127.0.0.1", port: 8899 } as const;

/** A listener whose accept() fails in turn with each of the codes, and is closed behind the last. */
async function pausesOf(codes: readonly (string | undefined)[]): Promise<number> {
  const left = [...codes];
  let pauses = 0;
  const deno: DenoListener = {
    addr: ADDRESS,
    accept(): Promise<never> {
      if (left.length === 0) listener.close();
      return Promise.reject(Object.assign(new Error("accept"), { code: left.shift() }));
    },
    close() {},
  };
  const listener = new SocketListener(deno, () => {
    pauses++;
    return Promise.resolve();
  });
  for await (const _ of listener);
  return pauses;
}

Deno.test("a client that is gone before it is accepted does not make a listener pause", async () => {
  const codes = ["ENOTCONN", "ECONNRESET", "ECONNABORTED", "EPERM", undefined];
  assertEquals(await pausesOf(Array(200).fill(codes).flat()), 0);
});

Deno.test("a listener pauses while there are no descriptors or buffers left", async () => {
  assertEquals(await pausesOf(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]), 4);
});
