/**
 * What no client can overdo: sizes, time and numbers.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import { chunked } from "../support/http_message.ts";
import { echoOrigin, httpOrigin, Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";

const HEADER_SIZE = 4096;
const BODY_SIZE = 8192;
const HEADER_TIMEOUT = 600;
const IDLE_TIMEOUT = 1500;

const suite = new Suite({
  flags: [
    ...["--max-header-size", String(HEADER_SIZE)],
    ...["--max-body-size", String(BODY_SIZE)],
    ...["--header-timeout", `${HEADER_TIMEOUT}ms`],
    ...["--idle-timeout", `${IDLE_TIMEOUT}ms`],
  ],
});

suite.test("a head at the limit is served, and one byte more is 431", async (proxy) => {
  await using origin = await httpOrigin();
  const bare = request("GET", `http://${origin.authority}/`, "X: ");
  for (const [size, status] of [[HEADER_SIZE, 200], [HEADER_SIZE + 1, 431]]) {
    using client = await proxy.connect();
    await client.send(bare.replace("X: ", `X: ${"x".repeat(size - bare.length)}`));
    assertEquals((await client.message()).status, status);
  }
});

suite.test("endless lines, fields and targets are refused at the limit, while they still come", async (proxy) => {
  const heads: [status: number, beginning: string, more: string][] = [
    [414, "GET http://localhost/", "x".repeat(1000)],
    [431, "GET http://localhost/ HTTP/1.1\r\nX: ", "x".repeat(1000)],
    [431, "GET http://localhost/ HTTP/1.1\r\n", "X-Field: value\r\n".repeat(60)],
  ];
  for (const [status, beginning, more] of heads) {
    using client = await proxy.connect();
    await client.send(beginning);
    for (let sent = 0; sent < 300_000; sent += more.length) await client.send(more);
    const answer = await client.message();
    assertEquals([answer.status, answer.field("connection")], [status, "close"], beginning);
    assertMatch(answer.field("proxy-status") ?? "", /; error=http_request_error$/);
  }
});

suite.test("endless chunk extensions and trailers are refused, and the origin is not told that it was all", async (proxy) => {
  await using origin = await Origin.listen();
  for (
    const [beginning, more] of [["5;", "x".repeat(1000)], [
      "5\r\nhello\r\n0\r\n",
      "X-Field: value\r\n".repeat(60),
    ]]
  ) {
    using client = await proxy.connect();
    await client.send(
      request("POST", `http://${origin.authority}/`, "Transfer-Encoding: chunked") + beginning,
    );
    using target = await origin.accept();
    await target.readUntil("\r\n\r\n");
    for (let sent = 0; sent < 300_000; sent += more.length) await client.send(more);
    assertMatch(String((await client.message()).status), /^4(?:00|31|13)$/);
    await target.ending();
    assert(!target.received.includes("0\r\n"));
  }
});

suite.test("a body over the limit is 413, and the origin is not told that it was all", async (proxy) => {
  const whole: number[] = [];
  await using origin = await httpOrigin(({ body }) => {
    whole.push(body.length);
    return response("ok");
  });
  const uri = `http://${origin.authority}/`;
  for (const [size, status] of [[BODY_SIZE, 200], [BODY_SIZE + 1, 413]]) {
    for (const field of [`Content-Length: ${size}`, "Transfer-Encoding: chunked"]) {
      using client = await proxy.connect();
      const body = "x".repeat(size);
      await client.send(request("POST", uri, field) + (field.endsWith("chunked") ? chunked(body) : body));
      const answer = await client.message();
      assertEquals([answer.status, answer.field("connection")], [
        status,
        status === 413 ? "close" : undefined,
      ]);
    }
  }
  assertEquals(whole, [BODY_SIZE, BODY_SIZE]);
});

/** Sends a byte now and then, until the connection is gone. */
async function trickle(client: RawConnection, byte: string): Promise<void> {
  while (client.ended === undefined) {
    await client.send(byte);
    await new Promise((resolve) => setTimeout(resolve, HEADER_TIMEOUT / 20));
  }
}

suite.test("a head that trickles is 408 at the timeout, which no byte puts off", async (proxy) => {
  for (const beginning of ["G", "GET http://localhost/ HTTP/1.1\r\nX: "]) {
    using client = await proxy.connect();
    const began = Date.now();
    await client.send(beginning);
    const trickled = trickle(client, "x");
    const answer = await client.message();
    assertEquals([answer.status, answer.field("connection")], [408, "close"]);
    const took = Date.now() - began;
    assert(took >= HEADER_TIMEOUT - 50 && took < HEADER_TIMEOUT + 3000, `It took ${took} ms`);
    client.end();
    await trickled;
  }
});

suite.test("a client that sends nothing, or half a SOCKS request, is closed at the timeout", async (proxy) => {
  const refusal = "\x00\x5B\0\0\0\0\0\0";
  for (
    const [bytes, answer] of [["", ""], ["\x05", ""], ["\x05\x01", ""], ["\x05\x01\0", "\x05\0"], [
      "\x04\x01\0",
      refusal,
    ]]
  ) {
    using client = await proxy.connect();
    await client.send(bytes);
    const ending = await client.ending();
    if (bytes === "") assertEquals(ending, "fin");
    assertEquals(client.received.toString("latin1", 0, answer.length || 1), answer);
  }
});

suite.test("idle clients and idle tunnels are closed on both sides", async (proxy) => {
  await using origin = await httpOrigin();
  await using echo = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).text, "ok");
  using tunneling = await tunnel(proxy, echo.authority);
  using target = await echo.accept();
  await Promise.all([client.readToEnd(), tunneling.ending(), target.ending()]);
});

testRows(
  "a client that was not let in has the header timeout for its next request, not the idle one",
  async (row) => {
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, ["--user", "ann:secret", "--header-timeout", "500ms"]);
    const uri = `http://${origin.authority}/`;
    const basic = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
    using known = await proxy.connect();
    await known.send(request("GET", uri, basic));
    assertEquals((await known.message()).status, 200);
    using stranger = await proxy.connect();
    for (const fields of [[], [`Proxy-Authorization: Basic ${btoa("ann:wrong")}`]]) {
      await stranger.send(request("GET", uri, ...fields));
      assertEquals((await stranger.message()).status, 407);
    }
    await stranger.readToEnd();
    await known.send(request("GET", uri, basic));
    assertEquals((await known.message()).status, 200);
  },
);

testRows(
  "clients beyond --max-connections are told 503, 01 or 5B, and served when there is room",
  async (row) => {
    await using proxy = await ProxyProcess.start(row, ["--max-connections", "3"]);
    await using origin = await echoOrigin();
    await using target = await httpOrigin();
    const tunnels = [];
    for (let count = 0; count < 3; count++) tunnels.push(await tunnel(proxy, origin.authority));
    const get = request("GET", `http://${target.authority}/`);
    for (const head of [get, `CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`]) {
      using client = await proxy.connect();
      await client.send(head);
      const answer = await client.message();
      assertEquals([answer.status, answer.field("connection")], [503, "close"]);
      assertMatch(answer.field("proxy-status") ?? "", /; error=connection_limit_reached$/);
      assertMatch(answer.field("retry-after") ?? "", /^\d+$/);
      await client.readToEnd();
    }
    {
      using client = await proxy.connect();
      await client.send(Buffer.concat([SOCKS5_GREETING, socks5Request("127.0.0.1", origin.port)]));
      await client.read(2);
      assertEquals(await socks5Reply(client), 1);
      await client.readToEnd();
    }
    {
      using client = await proxy.connect();
      await client.send(socks4Request("127.0.0.1", origin.port));
      assertEquals((await client.readToEnd())[1], 0x5B);
    }
    for (const client of tunnels) {
      client.end();
      await client.readToEnd();
      client[Symbol.dispose]();
    }
    await proxy.record(origin.authority);
    let status = 0;
    for (const deadline = Date.now() + 10_000; status !== 200 && Date.now() < deadline;) {
      using client = await proxy.connect();
      await client.send(get);
      ({ status } = await client.message());
    }
    assertEquals(status, 200);
    assertEquals(await proxy.stop(), 0);
  },
);
