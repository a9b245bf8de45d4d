/**
 * The PROXY protocol on the wire: believed where it is configured and from whom it
 * is, sent where it is asked for, and behind HAProxy.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { haproxy } from "../support/peers.ts";
import { type LogRecord, ProxyProcess } from "../support/proxy.ts";
import { type Bytes, connect, type RawConnection } from "../support/raw_client.ts";

/** A listener that trusts this machine, and serves whoever comes by it. */
const TRUSTING = [
  ...["--listen", "127.0.0.1:0?proxy-protocol=127.0.0.0/8"],
  ...["--allow-open", "--allow-private"],
];

const suite = new Suite({
  flags: [
    ...TRUSTING,
    "--listen",
    "127.0.0.1:0?proxy-protocol=192.0.2.0/24",
    "--listen",
    "socks5://127.0.0.1:0?proxy-protocol=::1/128,127.0.0.1/32",
    "--header-timeout",
    "3s",
    "--deny",
    "denied.test client=203.0.113.0/24",
  ],
});

/** Connects to a listener, by its place among the flags; 0 is one that expects no header. */
async function enter(proxy: ProxyProcess, listener: number): Promise<RawConnection> {
  const earlier = new Set(proxy.output.all);
  const client = await proxy.connect(proxy.addresses[listener]);
  EARLIER.set(client, earlier);
  return client;
}

/** What was logged before a client came: the port of one that is gone may be another's on another listener. */
const EARLIER = new WeakMap<RawConnection, ReadonlySet<string>>();

const SIGNATURE = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A];

/** A binary header: its version and command, its family, and what its length counts. */
function binary(command: number, family: number, rest: readonly number[]): Buffer {
  return Buffer.of(...SIGNATURE, command, family, rest.length >> 8, rest.length & 0xFF, ...rest);
}

const V4 = [203, 0, 113, 7, 127, 0, 0, 1, 0x30, 0x39, 0x1F, 0x90];
const V6 = [
  ...[0x20, 0x01, 0x0D, 0xB8, ...Array(11).fill(0), 7],
  ...[...Array(15).fill(0), 1, 0x30, 0x39, 0x1F, 0x90],
];

/** Headers, and the client in the access log; undefined where the sender speaks for itself. */
const HEADERS: readonly (readonly [header: Bytes, client: string | undefined])[] = [
  ["PROXY TCP4 203.0.113.7 127.0.0.1 12345 8080\r\n", "203.0.113.7:12345"],
  ["PROXY TCP6 2001:db8::7 ::1 12345 8080\r\n", "[2001:db8::7]:12345"],
  ["PROXY UNKNOWN\r\n", undefined],
  ["PROXY UNKNOWN ff:: ff:: 1 2\r\n", undefined],
  [binary(0x21, 0x11, V4), "203.0.113.7:12345"],
  [binary(0x21, 0x21, V6), "[2001:db8::7]:12345"],
  // TLVs (section 2.2), of a type that nobody knows.
  [binary(0x21, 0x11, [...V4, 0xEE, 0, 3, 1, 2, 3]), "203.0.113.7:12345"],
  [binary(0x20, 0x00, []), undefined],
  [binary(0x20, 0x11, V4), undefined],
  [binary(0x21, 0x00, [1, 2, 3]), undefined],
];

suite.test("the client of a header is the one in the log, in one packet and byte by byte", async (proxy) => {
  await using origin = await httpOrigin();
  for (const how of ["send", "sendSlowly"] as const) {
    for (const [header, expected] of HEADERS) {
      const path = `/${randomUUID()}`;
      using client = await enter(proxy, 1);
      const message = request("GET", `http://${origin.authority}${path}`);
      await client[how](Buffer.concat([Buffer.from(header as string, "latin1"), Buffer.from(message)]));
      assertEquals((await client.message()).text, "ok");
      assertEquals((await proxy.record(path)).client, expected ?? `127.0.0.1:${client.localPort}`);
    }
  }
});

suite.test("SOCKS behind a header is served, datagrams are not", async (proxy) => {
  await using origin = await Origin.listen();
  const header = Buffer.from(HEADERS[0][0] as string, "latin1");
  {
    using client = await enter(proxy, 3);
    await client.send(Buffer.concat([header, SOCKS5_GREETING, socks5Request("127.0.0.1", origin.port)]));
    await client.read(2);
    assertEquals(await socks5Reply(client), 0);
    using target = await origin.accept();
    await target.send("hello");
    await client.readUntil("hello");
  }
  assertEquals((await proxy.record(origin.authority)).client, "203.0.113.7:12345");
  using client = await enter(proxy, 3);
  await client.send(Buffer.concat([header, SOCKS5_GREETING, socks5Request("0.0.0.0", 0, 3)]));
  await client.read(2);
  assertEquals(await socks5Reply(client), 7);
});

suite.test("rules ask about the client of the header", async (proxy) => {
  for (const [index, status] of [[0, 403], [1, 502]]) {
    using client = await enter(proxy, 1);
    await client.send(HEADERS[index][0]);
    await client.send(`CONNECT denied.test:1 HTTP/1.1\r\nHost: denied.test:1\r\n\r\n`);
    assertEquals((await client.message()).status, status);
  }
});

testRows("--allow-client asks about the client of the header", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [...TRUSTING, "--allow-client", "203.0.113.0/24"]);
  for (const [index, status] of [[0, 200], [1, 403], [2, 403]]) {
    using client = await enter(proxy, 1);
    await client.send(HEADERS[index][0]);
    await client.send(request("GET", `http://${origin.authority}/`));
    assertEquals((await client.message()).status, status, String(HEADERS[index][0]));
  }
});

/** The record of a client that got no further than its header. */
async function recordOf(proxy: ProxyProcess, client: RawConnection): Promise<LogRecord> {
  const line = await proxy.output.find((line) =>
    !EARLIER.get(client)!.has(line) && JSON.parse(line).client === `127.0.0.1:${client.localPort}`
  );
  return JSON.parse(line);
}

suite.test("what is no header closes the connection, with one record and no answer", async (proxy) => {
  const line = "PROXY TCP4 203.0.113.7 127.0.0.1 12345 8080";
  const malformed: Bytes[] = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    Uint8Array.of(5, 1, 0),
    "PROXY  TCP4 203.0.113.7 127.0.0.1 12345 8080\r\n",
    "PROXY TCP4 203.0.113.7 127.0.0.1 012345 8080\r\n",
    "PROXY TCP4 203.0.113.07 127.0.0.1 12345 8080\r\n",
    "PROXY TCP4 203.0.113.7 127.0.0.1 123456 8080\r\n",
    "PROXY TCP6 203.0.113.7 127.0.0.1 12345 8080\r\n",
    "PROXY TCP4 203.0.113.7 127.0.0.1 12345\r\n",
    `${line}\n`,
    `${line} \r\n`,
    `${line}\rX\r\n`,
    `PROXY UNKNOWN ${"x".repeat(100)}\r\n`,
    "proxy TCP4 203.0.113.7 127.0.0.1 12345 8080\r\n",
    binary(0x11, 0x11, V4),
    binary(0x22, 0x11, V4),
    binary(0x21, 0x12, V4),
    binary(0x21, 0x11, V4.slice(1)),
    binary(0x21, 0x41, V4),
    "\r\n\r\nGET / HTTP/1.1\r\n",
  ];
  for (const bytes of malformed) {
    using client = await enter(proxy, 1);
    const what = JSON.stringify(Buffer.from(bytes as string, "latin1").toString("latin1"));
    await client.send(Buffer.concat([
      Buffer.from(bytes as string, "latin1"),
      Buffer.from("GET http://never.test/ HTTP/1.1\r\nHost: never.test\r\n\r\n"),
    ]));
    await client.ending();
    assertEquals(client.received.length, 0, what);
    const { fault, ending, reason } = await recordOf(proxy, client);
    assertEquals([fault, ending], ["http_request_error", "refused"], what);
    assertMatch(String(reason), /^The PROXY protocol header is not valid: /);
    const count = proxy.output.all.filter((line) => line.includes(`"127.0.0.1:${client.localPort}"`)).length;
    assertEquals(count, 1, what);
  }
  assert(!proxy.output.all.some((line) => line.includes("never.test")));
});

suite.test("a header from somebody else closes the connection, with one record", async (proxy) => {
  using client = await enter(proxy, 2);
  await client.send(`${HEADERS[0][0]}${request("GET", "http://never.test/")}`);
  await client.ending();
  assertEquals(client.received.length, 0);
  const { fault, ending, reason } = await recordOf(proxy, client);
  assertEquals([fault, ending], ["http_request_error", "refused"]);
  assertEquals(reason, "Only who is trusted to may send a PROXY header");
});

suite.test("where no header is expected, none is believed", async (proxy) => {
  for (const [header] of HEADERS) {
    using client = await enter(proxy, 0);
    await client.send(header);
    await client.send(request("GET", "http://never.test/"));
    // As HTTP the text is 400; the binary one begins with an empty line and then has a NUL.
    await client.ending();
    const said = client.received.toString("latin1");
    if (said !== "") assertMatch(said, /^HTTP\/1\.1 400 /);
  }
  assert(!proxy.output.all.some((line) => line.includes("never.test")));
});

suite.test("a header that does not come to its end runs into the header timeout", async (proxy) => {
  using client = await enter(proxy, 1);
  const start = performance.now();
  await client.send("PROXY TCP4 203.");
  await client.ending();
  const took = performance.now() - start;
  assert(took > 2_900 && took < 6_000, `It took ${took} ms`);
  const { fault, ending } = await recordOf(proxy, client);
  assertEquals([fault, ending], ["client_timeout", "timed_out"]);
});

testRows("a header is sent to an upstream that asks for it, before all else", async (row) => {
  await using origin = await httpOrigin();
  await using next = await ProxyProcess.start(row, TRUSTING);
  const { port } = next.addresses[1] as TcpAddress;
  for (const version of ["v1", "v2"]) {
    for (const scheme of ["http", "socks5h"]) {
      await using proxy = await ProxyProcess.start(row, [
        "--proxy",
        `${scheme}://127.0.0.1:${port}?proxy-protocol=${version}`,
      ]);
      using client = await proxy.connect();
      const path = `/${version}/${scheme}`;
      await client.send(request("GET", `http://${origin.authority}${path}`));
      assertEquals((await client.message()).text, "ok", path);
      using tunneled = await tunnel(proxy, origin.authority);
      await tunneled.send(request("GET", `http://${origin.authority}${path}`));
      assertEquals((await tunneled.message()).text, "ok", path);
      tunneled.end();
      await next.output.find((line) => line.includes(`"127.0.0.1:${client.localPort}"`));
      await next.output.find((line) => line.includes(`"127.0.0.1:${tunneled.localPort}"`));
    }
  }
});

testRows(
  "an upstream that is told of clients is told of the right one on each connection",
  async (row) => {
    await using origin = await httpOrigin();
    await using next = await ProxyProcess.start(row, TRUSTING);
    const { port } = next.addresses[1] as TcpAddress;
    await using proxy = await ProxyProcess.start(row, [
      "--proxy",
      `http://127.0.0.1:${port}?proxy-protocol=v2`,
    ]);
    for (let i = 0; i < 3; i++) {
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/${i}`));
      await client.message();
      assertEquals((await next.record(`/${i}`)).client, `127.0.0.1:${client.localPort}`);
    }
  },
);

/** How many requests are made at once of a load balancer. */
const PARALLEL = 20;

testRows(
  "HAProxy before three proxies: each knows its clients, and one that dies takes only its own",
  async (row) => {
    await using stack = new AsyncDisposableStack();
    const flags = [...TRUSTING, "--forwarded", "replace"];
    const proxies = await Promise.all(Array.from({ length: 3 }, () => ProxyProcess.start(row, flags)));
    for (const proxy of proxies) stack.use(proxy);
    const balancer = stack.use(
      await haproxy(proxies.map(({ addresses }) => (addresses[1] as TcpAddress).port)),
    );
    const at = { host: "127.0.0.1", port: balancer.port };
    const web = stack.use(
      await httpOrigin((received) => response(received.field("x-forwarded-for") ?? "none")),
    );

    async function get(localAddress: string): Promise<string> {
      using client = await connect(Object.assign({ localAddress }, at));
      await client.send(request("GET", `http://${web.authority}/`, "Connection: close"));
      return (await client.message()).text;
    }
    const hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
    assertEquals(await Promise.all(hosts.map(get)), hosts);

    // Two on each.
    const held: RawConnection[] = [];
    const pinged = stack.use(
      await Origin.listen(async (connection) => {
        while (true) await connection.send(await connection.read(4));
      }),
    );
    for (let i = 0; i < 6; i++) {
      const client = stack.use(await connect(at));
      await client.send(`CONNECT ${pinged.authority} HTTP/1.1\r\nHost: ${pinged.authority}\r\n\r\n`);
      await client.readUntil("\r\n\r\n");
      held.push(client);
    }

    let [made, dead] = [0, false];
    const lost: boolean[] = [];
    const died = proxies[1].exit().then(() => dead = true);
    await Promise.all(Array.from({ length: PARALLEL }, async () => {
      while (made < 200) {
        if (++made === 80) proxies[1].kill("SIGKILL");
        if (made > 150) await died;
        const begunAfter = dead;
        await get("127.0.0.5").then((text) => assertEquals(text, "127.0.0.5"), () => lost.push(begunAfter));
      }
    }));
    // It may have taken with it what was under way.
    assertEquals(lost.filter((begunAfter) => begunAfter), []);
    assert(lost.length <= PARALLEL, `${lost.length} requests were lost`);
    const lives = await Promise.all(held.map(async (client) => {
      await client.send("ping");
      return await client.read(4).then(() => true, () => false);
    }));
    assertEquals(lives.filter((alive) => !alive).length, 2);
  },
  { programs: ["haproxy"] },
);

testRows("--max-per-client counts the clients of headers, each by itself", async (row) => {
  await using origin = await Origin.listen();
  await using proxy = await ProxyProcess.start(row, [...TRUSTING, "--max-per-client", "2"]);
  const [, trusting] = proxy.addresses;
  const statuses: number[] = [];
  const clients: RawConnection[] = [];
  for (const host of ["203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8"]) {
    const client = await proxy.connect(trusting);
    clients.push(client);
    await client.send(
      `PROXY TCP4 ${host} 127.0.0.1 12345 8080\r\nCONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    statuses.push(Number(/^HTTP\/1\.1 (\d+)/.exec(await client.readUntil("\r\n\r\n"))![1]));
  }
  assertEquals(statuses, [200, 200, 503, 200]);
  for (const client of clients) client[Symbol.dispose]();
});
