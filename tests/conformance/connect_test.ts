/**
 * Tunnels by CONNECT (RFC 9110 section 9.3.6).
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { randomBytes } from "node:crypto";
import { digest, tunnel } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { ClosedPort, echoOrigin, httpOrigin, Origin } from "../support/origin.ts";

const suite = new Suite();

suite.test("CONNECT without a port from 1 to 65535 is refused with 400", async (proxy) => {
  const targets = [
    "localhost",
    "localhost:",
    "localhost:0",
    "localhost:65536",
    "localhost:99999999999",
    "localhost:+80",
    "localhost:80x",
    "[::1]",
    ":80",
    ":",
    "/",
    "*",
    "http://localhost:80",
    "localhost:80/",
    "user@localhost:80",
  ];
  for (const target of targets) {
    using client = await proxy.connect();
    await client.send(`CONNECT ${target} HTTP/1.1\r\nHost: localhost:80\r\n\r\n`);
    const answer = await client.message();
    assertEquals(answer.status, 400, target);
    assertMatch(answer.field("proxy-status") ?? "", /; error=http_request_error$/);
    assertEquals(answer.field("connection"), "close");
    assertEquals((await client.readToEnd()).length, 0);
  }
});

suite.test("the answer to CONNECT has no length, and the tunnel begins right behind it", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`);
  using target = await origin.accept();
  await target.send("\r\nHTTP/1.1 is not spoken here");
  const head = await client.readUntil("\r\n\r\n");
  assertMatch(head, /^HTTP\/1\.1 200 /);
  assert(!/content-length|transfer-encoding/i.test(head), head);
  assertEquals(await client.readUntil("here"), "\r\nHTTP/1.1 is not spoken here");
  await client.send("\x00\xFFpong\r\n");
  assertEquals(await target.readUntil("\n"), "\x00\xFFpong\r\n");
});

suite.test("bytes behind the CONNECT head go into the tunnel, in order, once", async (proxy) => {
  await using origin = await Origin.listen();
  const early = randomBytes(20_000);
  for (const slowly of [false, true]) {
    using client = await proxy.connect();
    const head = `CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`;
    if (slowly) await client.sendSlowly(`${head}first`);
    else await client.send(`${head}first`);
    await client.send(early);
    await client.send("last");
    client.end();
    using target = await origin.accept();
    const seen = await target.readToEnd();
    assertEquals(seen.toString("latin1"), `first${early.toString("latin1")}last`);
    assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
  }
});

suite.test("CONNECT reaches names, IPv4 and IPv6 addresses", async (proxy) => {
  const echo = [await echoOrigin({ host: "127.0.0.1" }), await echoOrigin({ host: "::1" })];
  await using _ipv4 = echo[0];
  await using _ipv6 = echo[1];
  const targets = [`127.0.0.1:${echo[0].port}`, `localhost:${echo[0].port}`, `[::1]:${echo[1].port}`];
  for (const target of targets) {
    using client = await tunnel(proxy, target);
    await client.send(target);
    client.end();
    assertEquals(String(await client.readToEnd()), target);
  }
});

suite.test("a failed CONNECT is answered, and closed without a look at what follows", async (proxy) => {
  await using closed = await ClosedPort.take();
  await using origin = await httpOrigin();
  using client = await proxy.connect();
  await client.send(
    `CONNECT ${closed.authority} HTTP/1.1\r\nHost: ${closed.authority}\r\n\r\n` +
      `GET http://${origin.authority}/leak HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`,
  );
  const answer = await client.message();
  assertEquals(answer.status, 502);
  assertMatch(answer.field("proxy-status") ?? "", /^\S+; error=connection_refused$/);
  assertEquals(answer.field("connection"), "close");
  assertEquals((await client.readToEnd()).length, 0);
  assert(await origin.isUntouched());
});

suite.test("3 MiB come down after the client's FIN", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await tunnel(proxy, origin.authority);
  using target = await origin.accept();
  await client.send("all I have to say");
  client.end();
  assertEquals(String(await target.readToEnd()), "all I have to say");
  const bytes = randomBytes(3 * 1024 * 1024);
  await target.send(bytes);
  target.end();
  assertEquals(digest(await client.readToEnd()), digest(bytes));
});

suite.test("2 MiB go up after the origin's FIN", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await tunnel(proxy, origin.authority);
  using target = await origin.accept();
  await target.send("all I have to say");
  target.end();
  assertEquals(String(await client.readToEnd()), "all I have to say");
  const bytes = randomBytes(2 * 1024 * 1024);
  await client.send(bytes);
  client.end();
  assertEquals(digest(await target.readToEnd()), digest(bytes));
});

suite.test("bytes go both ways at once, and both directions end by themselves", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await tunnel(proxy, origin.authority);
  using target = await origin.accept();
  const up = randomBytes(1024 * 1024);
  const down = randomBytes(1024 * 1024);
  await Promise.all([client.send(up).then(() => client.end()), target.send(down).then(() => target.end())]);
  assertEquals(digest(await target.readToEnd()), digest(up));
  assertEquals(digest(await client.readToEnd()), digest(down));
  const record = await proxy.record(origin.authority, client);
  assertEquals([record.bytes_sent, record.bytes_received, record.ending], [
    up.length,
    down.length,
    "completed",
  ]);
});

suite.test("a reset on one side ends the other at once", async (proxy) => {
  await using origin = await Origin.listen();
  {
    using client = await tunnel(proxy, origin.authority);
    using target = await origin.accept();
    await client.send("x");
    await target.read(1);
    client.reset();
    await target.ending();
  }
  {
    using client = await tunnel(proxy, origin.authority);
    using target = await origin.accept();
    await target.send("x");
    await client.read(1);
    target.reset();
    await client.ending();
  }
});

suite.test("CONNECT with a body is refused with 400, and the body is no request", async (proxy) => {
  await using origin = await httpOrigin();
  for (const framing of ["Content-Length: 70", "Transfer-Encoding: chunked"]) {
    using client = await proxy.connect();
    await client.send(
      `CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n${framing}\r\n\r\n` +
        `GET http://${origin.authority}/leak HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`,
    );
    assertEquals((await client.message()).status, 400);
    assertEquals((await client.readToEnd()).length, 0);
  }
  assert(await origin.isUntouched());
});

suite.test("CONNECT from an HTTP/1.0 client opens a tunnel", async (proxy) => {
  await using origin = await echoOrigin();
  using client = await proxy.connect();
  await client.send(`CONNECT ${origin.authority} HTTP/1.0\r\n\r\nhello`);
  client.end();
  assertMatch(String(await client.readToEnd()), /^HTTP\/1\.1 200 [^\r\n]*\r\n\r\nhello$/);
});
