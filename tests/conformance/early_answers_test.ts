/**
 * Answers that come while the request is still on its way (RFC 9112 section 9): each half of an exchange has an end
 * of its own, and neither takes the other with it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { randomBytes } from "node:crypto";
import { digest, request } from "./exchanges.ts";
import { TUNNELS } from "./half_close.ts";
import { Suite } from "./suite.ts";
import { chunked } from "../support/http_message.ts";
import { Origin, response } from "../support/origin.ts";

const suite = new Suite();

/** More than the buffers of all sockets on the way. */
const BIG = randomBytes(6 * 1024 * 1024);

const FRAMED = {
  "length": [`Content-Length: ${BIG.length}`, BIG],
  "chunked": ["Transfer-Encoding: chunked", chunked(BIG, 50_000)],
} as const;

function post({ authority }: Origin, ...fields: string[]): string {
  return request("POST", `http://${authority}/`, ...fields);
}

suite.test("an origin that answers at once and reads on gets the whole body, and the client may go on", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  for (const [field, body] of Object.values(FRAMED)) {
    await client.send(post(origin, field));
    using target = await origin.accept();
    await target.until("\r\n\r\n");
    await target.send(response("early"));
    const answer = await client.message();
    assertEquals([answer.text, answer.field("connection")], ["early", undefined]);
    const [received] = await Promise.all([target.message(), client.send(body)]);
    assertEquals(digest(received.body), digest(BIG));
    await client.send(request("GET", `http://${origin.authority}/next`));
    assertEquals((await target.message()).target, "/next");
    await target.send(response("next"));
    assertEquals((await client.message()).text, "next");
  }
});

suite.test("behind an early answer that announces the close, the client sees it and its body still arrives", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(post(origin, FRAMED.length[0]));
  using target = await origin.accept();
  await target.until("\r\n\r\n");
  await target.send(response("early", "Connection: close"));
  const answer = await client.message();
  assertEquals([answer.text, answer.field("connection")], ["early", "close"]);
  assertEquals((await client.readToEnd()).length, 0);
  const [received] = await Promise.all([target.message(), client.send(BIG)]);
  assertEquals(digest(received.body), digest(BIG));
});

suite.test("an answer on the head arrives although the origin resets the connection while the body comes", async (proxy) => {
  await using origin = await Origin.listen(async (target) => {
    await target.until("\r\n\r\n");
    await target.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    target.reset();
  });
  for (let i = 0; i < 20; i++) {
    using client = await proxy.connect();
    // It reads nothing before all is sent, as simple clients do.
    await client.send(post(origin, FRAMED.length[0]));
    await client.send(BIG);
    const answer = await client.message();
    assertEquals([answer.status, answer.text], [413, "big"]);
  }
});

suite.test("the answer of a target that takes no more arrives through a tunnel, too", async (proxy) => {
  for (const [protocol, open] of Object.entries(TUNNELS)) {
    await using origin = await Origin.listen();
    using client = await open(proxy, origin);
    {
      using target = await origin.accept();
      await client.send(request("POST", "http://origin.test/", FRAMED.length[0]));
      await target.until("\r\n\r\n");
      await target.send(
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
      );
      target.end();
    }
    // It reads nothing before all is sent, as simple clients do.
    client.pause();
    // Once another tunnel stands, the proxy has seen the end of this one's target.
    using _other = await open(proxy, origin);
    await client.send(BIG);
    client.resume();
    assertEquals([protocol, (await client.readToEnd()).toString().slice(0, 12)], [protocol, "HTTP/1.1 413"]);
    client.end();
    const { status, fault, ending } = await proxy.record(origin.authority, client);
    assertEquals([status, fault, ending], [
      { CONNECT: 200, SOCKS4: 0x5A, SOCKS5: 0 }[protocol],
      "connection_terminated",
      "aborted",
    ]);
  }
});

suite.test("a body that is wrong from its first bytes is 502 where nothing of the answer has left", async (proxy) => {
  await using origin = await Origin.listen(async (target) => {
    await target.message();
    await target.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n");
  });
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  const answer = await client.message();
  assertEquals([answer.status, answer.field("transfer-encoding")], [502, undefined]);
  assertEquals((await proxy.record(`${origin.authority}/`, client)).status, 502);
});
