/**
 * Much of what the other suites do once: many requests, resets, slow heads, random bytes.
 *
 * The short form runs with all tests. The long form, 50,000 requests and 20,000 mutated messages per runtime:
 * `SLUICE_LOAD=50 deno task test tests/conformance/endurance_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "@std/assert";
import { Buffer } from "node:buffer";
import { request, tunnel } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { detect } from "../../src/protocols/detection.ts";
import { PROTOCOLS } from "../../src/protocols/client_protocols.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import { Random, SEED } from "../support/random.ts";
import type { RawConnection } from "../support/raw_client.ts";
import { settingsWith } from "../support/settings.ts";

const LOAD = Number(Deno.env.get("SLUICE_LOAD") ?? 1);

const HEADER_TIMEOUT = 1_000;

const suite = new Suite({ flags: ["--header-timeout", `${HEADER_TIMEOUT}ms`] });

/** Does a task so many times, a few at a time. */
async function repeat(times: number, { width }: { width: number }, task: (index: number) => Promise<void>) {
  let next = 0;
  const workers = Array.from({ length: Math.min(width, times) }, async () => {
    while (next < times) await task(next++);
  });
  await Promise.all(workers);
}

/** An origin that ends an idle connection whenever it pleases, with FIN or with a reset, and counts its POSTs. */
function moodyOrigin(random: Random, posts: Map<string, number>): Promise<Origin> {
  return Origin.listen(async (connection) => {
    while (true) {
      const { startLine } = await connection.message();
      const [method, target] = startLine.split(" ");
      if (method === "POST") posts.set(target, (posts.get(target) ?? 0) + 1);
      await connection.send(response(target));
      const mood = random.below(10);
      if (mood === 0) connection.end();
      if (mood === 1) connection.reset();
      if (mood < 2) return;
    }
  });
}

suite.test("bulk tunnels and small requests side by side each get their own bytes", async (proxy) => {
  const [piece, pieces] = [256 * 1024, 64 * LOAD];
  await using bulk = await Origin.listen(async (connection) => {
    const bytes = Buffer.alloc(piece, await connection.read(1));
    for (let i = 0; i < pieces; i++) await connection.send(bytes);
  });
  await using web = await httpOrigin(({ startLine }) => response(startLine));
  let left = 4;
  const tunnels = Array.from({ length: left }, async (_, index) => {
    const bytes = Buffer.alloc(piece, `${index}`);
    using client = await tunnel(proxy, bulk.authority);
    await client.send(`${index}`);
    for (let i = 0; i < pieces; i++) {
      assert(bytes.equals(await client.read(piece)), `tunnel ${index}, piece ${i}`);
    }
    left--;
  });
  const requests = Array.from({ length: 4 }, async (_, index) => {
    using client = await proxy.connect();
    for (let i = 0; left > 0 || i < 100; i++) {
      await client.send(request("GET", `http://${web.authority}/${index}/${i}`));
      assertEquals((await client.message()).text, `GET /${index}/${i} HTTP/1.1`);
    }
  });
  await Promise.all([...tunnels, ...requests]);
});

suite.test(`an origin that closes idle connections at random costs no client anything (seed ${SEED})`, async (proxy) => {
  const posts = new Map<string, number>();
  await using origin = await moodyOrigin(new Random(SEED), posts);
  const unserved: string[] = [];
  const width = 8;
  const clients = await Promise.all(Array.from({ length: width }, () => proxy.connect()));
  await repeat(1_000 * LOAD, { width }, async (index) => {
    const client = clients.pop()!;
    const method = index % 10 === 0 ? "POST" : "GET";
    const fields = method === "POST" ? ["Content-Length: 0"] : [];
    await client.send(request(method, `http://${origin.authority}/${index}`, ...fields));
    const { startLine, text } = await client.message();
    if (text !== `/${index}`) unserved.push(`${method} ${startLine}`);
    clients.push(client);
  });
  for (const client of clients) client[Symbol.dispose]();
  assertEquals(unserved, []);
  assertEquals(posts.size, 100 * LOAD);
  assertEquals([...posts].filter(([, count]) => count > 1), [], "A POST was sent twice");
});

suite.test("a client that resets in the middle of anything takes its target's connection with it", async (proxy) => {
  await using origin = await Origin.listen();
  const beginnings: ((proxy: ProxyProcess) => Promise<RawConnection>)[] = [
    (proxy) => tunnel(proxy, origin.authority),
    async (proxy) => {
      const client = await proxy.connect();
      await client.send(
        request("POST", `http://${origin.authority}/`, "Content-Length: 100000") + "x".repeat(500),
      );
      return client;
    },
    async (proxy) => {
      const client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/`));
      return client;
    },
  ];
  // One after the other, so that each accepted connection is known to be this client's.
  await repeat(100 * LOAD, { width: 1 }, async (index) => {
    using client = await beginnings[index % beginnings.length](proxy);
    using target = await origin.accept();
    if (index % beginnings.length > 0) await target.until("\r\n\r\n");
    if (index % 2 === 0) await target.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nsome");
    if (index % 2 === 0) await client.until("some");
    client.reset();
    await target.ending();
  });
});

suite.test("heads that trickle are all closed in time, and a client that does not is served meanwhile", async (proxy) => {
  await using origin = await httpOrigin();
  const heads = [
    "GET http://example.com/" + "x".repeat(200),
    "\x05\x02\x00",
    "\x04\x01\x00\x50\x01\x01\x01\x01user",
  ];
  using good = await proxy.connect();
  let served = 0;
  const serve = async () => {
    await good.send(request("GET", `http://${origin.authority}/`));
    assertEquals((await good.message()).text, "ok");
    served++;
  };
  // Once served it may be idle, however busy the machine is with the others.
  await serve();
  const begun = performance.now();
  const trickles = Array.from({ length: 40 * LOAD }, async (_, index) => {
    using client = await proxy.connect();
    // The pace is the attack; the test waits for the proxy to end it.
    for (const char of heads[index % heads.length]) {
      if (client.ended) break;
      await client.send(char).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await client.ending();
  });
  const all = Promise.all(trickles).then(() => "done");
  for (let waiting = true; waiting;) {
    await serve();
    waiting = await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 20))]) !== "done";
  }
  assert(served > 10, `${served} requests were served meanwhile`);
  // Not a measure of speed: without the limit it would be twenty seconds for the longest of these heads.
  assertLess(performance.now() - begun, 10_000);
});

/** Whether a message could lead the proxy to a target that is not the test's own: such a one is never sent. */
function leadsAway(bytes: Uint8Array, port: number): boolean {
  const buffer = ByteBuffer.of(bytes);
  const protocol = detect(buffer);
  if (protocol === undefined || protocol === "tls" || protocol === "unknown") return false;
  const options = {
    credentialsRequired: false,
    settings: settingsWith(),
    reference: "7-1",
    date: () => new Date(0),
  };
  const handshake = new PROTOCOLS[protocol].Handshake(options);
  try {
    for (let event = handshake.read(buffer); event; event = handshake.read(buffer)) {
      if (event.type !== "request") continue;
      const { request } = event;
      if (request.kind === "tunnel") {
        return !(request.target.host === "127.0.0.1" && request.target.port === port);
      }
      // A second request may hide in what follows.
      return request.kind === "own" || request.target.host !== "127.0.0.1" || request.target.port !== port ||
        /http|CONNECT/i.test(Buffer.from(buffer.bytes).toString("latin1"));
    }
  } catch {
    // What the codec refuses goes nowhere.
  }
  return false;
}

suite.test(`mutated messages get an answer or a close, and cost nobody else anything (seed ${SEED})`, async (proxy) => {
  await using origin = await httpOrigin(() => response("ok", "Connection: close"));
  const random = new Random(SEED);
  const seeds = [
    request("GET", `http://${origin.authority}/`, "Connection: close"),
    request("POST", `http://${origin.authority}/`, "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n",
    `CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`,
    `\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01${String.fromCharCode(origin.port >> 8, origin.port & 255)}`,
    `\x04\x01${String.fromCharCode(origin.port >> 8, origin.port & 255)}\x7f\x00\x00\x01me\x00`,
  ].map((text) => Buffer.from(text, "latin1"));
  await repeat(400 * LOAD, { width: 16 }, async () => {
    const bytes = random.mutate(random.pick(seeds));
    if (leadsAway(bytes, origin.port)) return;
    using client = await proxy.connect();
    await client.send(bytes).catch(() => {});
    client.end();
    await client.ending();
  });
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).text, "ok");
});
