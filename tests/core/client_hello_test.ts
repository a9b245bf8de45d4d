import { assertEquals } from "@std/assert";
import { Duplex } from "node:stream";
import { connect } from "node:tls";
import { serverName } from "../../adapters/client_hello.ts";

/** The first flight of this runtime's TLS client. */
function hello(servername?: string): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const wire: Duplex = new Duplex({
      read() {},
      write(chunk: Uint8Array) {
        resolve(Uint8Array.from(chunk));
        setTimeout(() => wire.destroy(), 0);
      },
    });
    connect({ socket: wire, servername }).on("error", () => {});
  });
}

/** The same handshake in records of at most `size` bytes. */
function inRecords(bytes: Uint8Array, size: number): Uint8Array {
  const records: number[] = [];
  for (let at = 5; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    records.push(22, 3, 1, part.length >> 8, part.length & 255, ...part);
  }
  return Uint8Array.from(records);
}

Deno.test("the name in a ClientHello is found when it is whole, and not before", async () => {
  const bytes = await hello("One.Test");
  for (let length = 0; length < bytes.length; length++) {
    assertEquals(serverName(bytes.subarray(0, length)), undefined, `${length} bytes`);
  }
  assertEquals(serverName(bytes), "one.test");
  assertEquals(serverName(Uint8Array.from([...bytes, 20, 3, 3, 0, 1, 1])), "one.test");
});

Deno.test("the name in a ClientHello is found across records", async () => {
  const bytes = inRecords(await hello("one.test"), 7);
  assertEquals(serverName(bytes.subarray(0, -1)), undefined);
  assertEquals(serverName(bytes), "one.test");
});

Deno.test("what is no ClientHello, and one that is cut short inside, has no name", () => {
  assertEquals(serverName(new TextEncoder().encode("GET / HTTP/1.1\r\n")), "");
  assertEquals(serverName(Uint8Array.from([22, 3, 1, 0, 4, 2, 0, 0, 0])), "");
  assertEquals(serverName(Uint8Array.from([22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3])), "");
});
