/**
 * Limits on the wire: what a client that meets one is told, on every protocol, and what it moves meanwhile.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { performance } from "node:perf_hooks";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { eventually } from "../support/waiting.ts";
import { echoOrigin, httpOrigin, Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

function limit(...texts: string[]): string[] {
  return texts.flatMap((text) => ["--limit", text]);
}

function basic(user: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(`${user}:secret`).toString("base64")}`;
}

testRows(
  "limits: a request beyond one is told 429, when to come back, and which limit it was",
  async (row) => {
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, limit("* to 3 requests/day per client"));
    using client = await proxy.connect();
    for (let i = 0; i < 3; i++) {
      await client.send(request("GET", `http://${origin.authority}/`));
      assertEquals((await client.message()).status, 200);
    }
    await client.send(request("GET", `http://${origin.authority}/refused`));
    const refused = await client.message();
    assertEquals(refused.status, 429);
    assertMatch(refused.field("proxy-status") ?? "", /; error=http_request_denied$/);
    const wait = Number(refused.field("retry-after"));
    assert(wait > 0 && wait <= 86_400, `Retry-After: ${wait}`);
    assertMatch(
      String(refused.body),
      /^A limit of this proxy is reached: 3 requests\/day for each client\. Try again /,
    );
    const record = await proxy.record("/refused");
    assertEquals([record.fault, record.status, record.ending], ["request_limited", 429, "refused"]);
    assertEquals(record.limit, "limit * to 3 requests/day per client (--limit)");
    assertEquals(record.reason, 'Beyond the limit "limit * to 3 requests/day per client" (--limit)');
    // The connection goes on: another target is not limited by itself, but the limit is about all of them.
    await client.send(request("GET", `http://${origin.authority}/`));
    assertEquals((await client.message()).status, 429);
  },
);

testRows(
  "limits: connections are tunnels under way in every protocol, and each end gives its place back once",
  async (row) => {
    await using origin = await echoOrigin();
    await using proxy = await ProxyProcess.start(row, limit("* to 2 connections"));
    const first = await tunnel(proxy, origin.authority);
    const second = await tunnel(proxy, origin.authority);
    const { host, port } = { host: "127.0.0.1", port: origin.port };
    {
      using client = await proxy.connect();
      await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 429 [^]*\r\nRetry-After: \d+\r\n/);
    }
    {
      using client = await proxy.connect();
      await client.send(socks4Request(host, port));
      assertEquals((await client.read(8))[1], 0x5B);
    }
    {
      using client = await proxy.connect();
      await client.send(SOCKS5_GREETING);
      await client.read(2);
      await client.send(socks5Request(host, port));
      assertEquals(await socks5Reply(client), 2);
    }
    // One ends by itself, and one is cut.
    first.end();
    await first.ending();
    first[Symbol.dispose]();
    second.reset();
    const opened: { [Symbol.dispose](): void }[] = [];
    await eventually(async () => {
      const client = await proxy.connect();
      await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const answer = await client.readUntil("\r\n\r\n");
      if (answer.startsWith("HTTP/1.1 200")) opened.push(client);
      else client[Symbol.dispose]();
      return opened.length === 2;
    }, "Two tunnels open again");
    using third = await proxy.connect();
    await third.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
    assertMatch(await third.readUntil("\r\n\r\n"), /^HTTP\/1\.1 429 /);
    for (const client of opened) client[Symbol.dispose]();
  },
);

testRows("limits: idle clients and refused requests take no place", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [
    ...limit("* to 1 connections"),
    "--deny",
    "denied.test",
  ]);
  const clients = await Promise.all(Array.from({ length: 4 }, () => proxy.connect()));
  for (let round = 0; round < 2; round++) {
    for (const client of clients) {
      await client.send(request("GET", "http://denied.test/"));
      assertEquals((await client.message()).status, 403);
      await client.send(request("GET", `http://${origin.authority}/`));
      assertEquals((await client.message()).status, 200);
    }
  }
  for (const client of clients) client[Symbol.dispose]();
});

testRows("limits: each user has a count of their own", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, [
    ...["--user", "ann:secret", "--user", "bob:secret"],
    ...limit("* to 2 requests/day per user", "user=bob to 1 requests/day"),
  ]);
  using client = await proxy.connect();
  const statuses = [];
  for (const user of ["ann", "bob", "ann", "bob", "ann"]) {
    await client.send(request("GET", `http://${origin.authority}/`, basic(user)));
    statuses.push((await client.message()).status);
  }
  assertEquals(statuses, [200, 200, 200, 429, 429]);
});

/** Sends as fast as it can. */
function flood(size: number): Promise<Origin> {
  return Origin.listen(async (connection) => {
    await connection.readUntil("go");
    await connection.send(Buffer.alloc(size, "x")).catch(() => {});
    connection.end();
  });
}

testRows(
  "limits: bandwidth is shaped both ways without loss, and the small are not behind the bulk",
  async (row) => {
    await using origin = await flood(500_000);
    await using small = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, limit("* to 500kB/s"));
    const began = performance.now();
    const clients = await Promise.all(Array.from({ length: 4 }, () => tunnel(proxy, origin.authority)));
    for (const client of clients) await client.send("go");
    using one = await proxy.connect();
    await one.send(request("GET", `http://${small.authority}/`));
    assertEquals((await one.message()).status, 200);
    const latency = performance.now() - began;
    const sizes = await Promise.all(clients.map(async (client) => (await client.readToEnd()).length));
    const seconds = (performance.now() - began) / 1_000;
    assertEquals(sizes, [5e5, 5e5, 5e5, 5e5]);
    // 2 MB at 500 kB/s; a tenth of a second may be caught up.
    assert(seconds > 3.7, `It took ${seconds} s`);
    assert(latency < 2_000, `The small request took ${latency} ms`);
    for (const client of clients) client[Symbol.dispose]();
  },
);

testRows("limits: a quota that runs out ends the transfer under way, and the log says so", async (row) => {
  await using origin = await flood(3_000_000);
  await using proxy = await ProxyProcess.start(row, limit("* to 1MB/day down"));
  using client = await tunnel(proxy, origin.authority);
  await client.send("go");
  await client.ending();
  assert(client.received.length <= 1e6, `${client.received.length} bytes`);
  const record = await proxy.record(origin.authority);
  assertEquals([record.fault, record.bytes_received], ["request_limited", 1e6]);
  using next = await proxy.connect();
  await next.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
  assertMatch(await next.readUntil("\r\n\r\n"), /^HTTP\/1\.1 429 /);
});

testRows("limits: bodies go both ways through a bandwidth whole", async (row) => {
  const body = Buffer.alloc(200_000, "0123456789");
  await using origin = await httpOrigin(({ body }) => response(body));
  await using proxy = await ProxyProcess.start(row, limit("* to 2MB/s"));
  using client = await proxy.connect();
  for (let i = 0; i < 2; i++) {
    await client.send(request("POST", `http://${origin.authority}/`, `Content-Length: ${body.length}`));
    await client.send(body);
    const answer = await client.message();
    assertEquals([answer.status, Buffer.from(answer.body).equals(body)], [200, true]);
  }
});

testRows("limits: the shadow serves all, and the log names it", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, limit("* to 1 requests/day shadow"));
  using client = await proxy.connect();
  for (const path of ["/1", "/2"]) {
    await client.send(request("GET", `http://${origin.authority}${path}`));
    assertEquals((await client.message()).status, 200);
  }
  const records = [await proxy.record("/1"), await proxy.record("/2")];
  assertEquals(records.map(({ limit }) => limit ?? ""), ["", "limit * to 1 requests/day shadow (--limit)"]);
});
