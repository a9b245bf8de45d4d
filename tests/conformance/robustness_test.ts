/**
 * Nonsense, and clients that vanish: whatever happens, the proxy lives, serves, and keeps nothing.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { Buffer } from "node:buffer";
import { readdirSync } from "node:fs";
import { request, socks4Request, SOCKS5_GREETING, socks5Request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { BlackHole, httpOrigin, Origin, response } from "../support/origin.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import { Random, SEED } from "../support/random.ts";

const IDLE_TIMEOUT = 4000;

const suite = new Suite({ flags: ["--idle-timeout", `${IDLE_TIMEOUT}ms`, "--connect-timeout", "1s"] });

/** Asserts that the proxy serves, and within a while holds no more descriptors than before. */
async function assertQuiet(proxy: ProxyProcess, before: number): Promise<void> {
  await using origin = await httpOrigin(() => response("served", "Connection: close"));
  const uri = `http://${origin.authority}/`;
  const deadline = Date.now() + 10_000;
  do {
    using client = await proxy.connect();
    await client.send(request("GET", uri, "Connection: close"));
    assertEquals((await client.message()).text, "served");
    await client.readToEnd();
  } while (descriptors(proxy) > before + 2 && Date.now() < deadline);
  assertLess(descriptors(proxy), before + 3, "Descriptors are left open");
}

function descriptors(proxy: ProxyProcess): number {
  return readdirSync(`/proc/${proxy.pid}/fd`).length;
}

suite.test(`random bytes do no harm (seed ${SEED})`, async (proxy) => {
  const before = descriptors(proxy);
  const random = new Random();
  // Where the target survives a mutation nothing is dialed: nothing may go beyond this machine.
  const samples = [
    {
      bytes: request("POST", "http://127.0.0.1:0/", "Content-Length: 4") + "body",
      target: " http://127.0.0.1:0/ ",
    },
    { bytes: "CONNECT 127.0.0.1:0 HTTP/1.1\r\nHost: x\r\n\r\nbody", target: " 127.0.0.1:0 " },
    { bytes: socks4Request("localhost", 0, "me").toString("latin1"), target: "\0\0\0\0\0\x01" },
    {
      bytes: `\x05\x01\0${socks5Request("::1", 0).toString("latin1")}`,
      target: "\0".repeat(15) + "\x01\0\0",
    },
  ];
  const inputs: Uint8Array[] = [];
  while (inputs.length < 200) {
    const { bytes, target } = random.pick(samples);
    const mutated = Buffer.from(random.mutate(Buffer.from(bytes, "latin1")));
    if (mutated.includes(target, 0, "latin1")) inputs.push(mutated);
    else inputs.push(random.bytes(random.below(64)));
  }
  await Promise.all(inputs.map(async (bytes) => {
    using client = await proxy.connect();
    await client.send(bytes);
    client.end();
    await client.ending();
  }));
  await assertQuiet(proxy, before);
});

suite.test("a request that breaks off anywhere does no harm", async (proxy) => {
  const before = descriptors(proxy);
  const heads = [
    Buffer.from(request("POST", "http://127.0.0.1:1/", "Content-Length: 4") + "body", "latin1"),
    Buffer.from("CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n", "latin1"),
    socks4Request("localhost", 1, "me"),
    Buffer.concat([SOCKS5_GREETING, socks5Request("127.0.0.1", 1)]),
  ];
  for (const head of heads) {
    await Promise.all(Array.from(head, async (_, length) => {
      using client = await proxy.connect();
      await client.send(head.subarray(0, length));
      if (length % 2 === 0) return client.reset();
      client.end();
      await client.ending();
    }));
  }
  await assertQuiet(proxy, before);
});

suite.test("a client that vanishes in any state leaves nothing behind", async (proxy) => {
  const before = descriptors(proxy);
  await using origin = await Origin.listen();
  using hole = await BlackHole.open();
  const uri = `http://${origin.authority}/`;
  const partial = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
  const states: { send: string; target?: boolean; answer?: string; manners?: string[] }[] = [
    { send: "" },
    { send: request("GET", uri).slice(0, 30) },
    { send: "\x05\x01\0" },
    { send: `CONNECT ${hole.authority} HTTP/1.1\r\nHost: x\r\n\r\n` },
    // A client that closed its connection is not to be told from one that has no more to say.
    { send: request("GET", uri), target: true, manners: ["reset"] },
    { send: request("GET", uri), target: true, answer: partial, manners: ["reset"] },
    { send: `${request("PUT", uri, "Content-Length: 9")}hello`, target: true },
    { send: `CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`, target: true, answer: "hello" },
    { send: "GET / HTTP/1.1\r\nHost: x\r\n\r\n" },
  ];
  for (const { send, target, answer, manners = ["reset", "close"] } of states) {
    for (const manner of manners) {
      using client = await proxy.connect();
      await client.send(send);
      using reached = target ? await origin.accept() : undefined;
      // Everything that was sent before is here now.
      if (target && !send.startsWith("CONNECT")) await reached?.until("\r\n\r\n");
      if (answer) {
        await reached?.send(answer);
        await client.until("hello");
      }
      const vanished = Date.now();
      if (manner === "reset") client.reset();
      else client[Symbol.dispose]();
      await reached?.ending();
      const took = Date.now() - vanished;
      assertLess(took, IDLE_TIMEOUT - 1000, `${manner} behind ${JSON.stringify(send)}: it took ${took} ms`);
    }
  }
  await assertQuiet(proxy, before);
});
