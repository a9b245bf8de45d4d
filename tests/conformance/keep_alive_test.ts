/**
 * Connections that serve several requests, their order and their end (RFC 9112 section 9).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import type { HttpMessage } from "../support/http_message.ts";
import { ClosedPort, httpOrigin, Origin, response } from "../support/origin.ts";

const suite = new Suite();

/** Tells what arrived, and sends its body back. */
function echo(received: HttpMessage): Uint8Array {
  return response(received.body, `X-Seen: ${received.method} ${received.target}`);
}

suite.test("one client connection serves requests to several hosts, one after the other", async (proxy) => {
  await using first = await httpOrigin(() => response("first"));
  await using second = await httpOrigin(() => response("second"));
  using client = await proxy.connect();
  for (
    const [origin, text] of [[first, "first"], [second, "second"], [first, "first"], [
      second,
      "second",
    ]] as const
  ) {
    await client.send(request("GET", `http://${origin.authority}/`));
    const answer = await client.message();
    assertEquals(answer.text, text);
    assertEquals(answer.field("connection"), undefined);
  }
});

suite.test("a connection to an origin serves further requests, and one that the origin closed costs none", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  const get = request("GET", `http://${origin.authority}/`);
  await client.send(get);
  using target = await origin.accept();
  await target.message();
  await target.send(response("first"));
  assertEquals((await client.message()).text, "first");
  await client.send(get);
  await target.message();
  await target.send(response("second"));
  assertEquals((await client.message()).text, "second");
  target.end();
  await client.send(get);
  using other = await origin.accept();
  await other.message();
  await other.send(response("third"));
  assertEquals((await client.message()).text, "third");
});

suite.test("a hundred pipelined requests of several methods are answered in order", async (proxy) => {
  await using even = await httpOrigin(echo);
  await using odd = await httpOrigin(echo);
  using client = await proxy.connect();
  const wanted = Array.from({ length: 100 }, (_, index) => {
    const method = ["GET", "POST", "HEAD", "DELETE", "PUT"][index % 5];
    const body = method === "POST" || method === "PUT" ? `body ${index}` : "";
    return { method, body, uri: `http://${(index % 2 ? odd : even).authority}/${index}` };
  });
  await client.send(
    wanted.map(({ method, body, uri }) =>
      request(method, uri, ...(body ? [`Content-Length: ${body.length}`] : [])) + body
    ).join(""),
  );
  for (const [index, { method, body }] of wanted.entries()) {
    const answer = await client.message({ bodiless: method === "HEAD" });
    assertEquals(answer.field("x-seen"), `${method} /${index}`);
    assertEquals(answer.text, method === "HEAD" ? "" : body);
  }
});

suite.test("behind a faulty request among pipelined ones nothing more is processed", async (proxy) => {
  await using origin = await httpOrigin(echo);
  using client = await proxy.connect();
  const uri = `http://${origin.authority}`;
  await client.send([
    request("GET", `${uri}/0`),
    request("GET", `${uri}/1`),
    `GET ${uri}/2 HTTP/1.1\r\nHost: x\r\nBad name: x\r\n\r\n`,
    request("GET", `${uri}/3`),
  ].join(""));
  assertEquals((await client.message()).field("x-seen"), "GET /0");
  assertEquals((await client.message()).field("x-seen"), "GET /1");
  const refusal = await client.message();
  assertEquals([refusal.status, refusal.field("connection")], [400, "close"]);
  assertEquals((await client.readToEnd()).length, 0);
});

suite.test("after Connection: close no further request is processed", async (proxy) => {
  await using origin = await httpOrigin(echo);
  using client = await proxy.connect();
  const uri = `http://${origin.authority}`;
  await client.send(request("GET", `${uri}/0`, "Connection: close") + request("GET", `${uri}/1`));
  const answer = await client.message();
  assertEquals([answer.field("x-seen"), answer.field("connection")], ["GET /0", "close"]);
  assertEquals((await client.readToEnd()).length, 0);
});

suite.test("a request of HTTP/1.0 leaves as 1.1, and its connection is not kept", async (proxy) => {
  await using origin = await httpOrigin((received) => response(received.startLine));
  using client = await proxy.connect();
  await client.send(`GET http://${origin.authority}/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`);
  const answer = await client.message();
  assertEquals([answer.startLine, answer.text], ["HTTP/1.1 200 OK", "GET / HTTP/1.1"]);
  assertEquals((await client.readToEnd()).length, 0);
});

suite.test("a client that half-closes behind its request is still answered", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  client.end();
  using target = await origin.accept();
  await target.message();
  await target.send(response("here you are"));
  assertEquals((await client.message()).text, "here you are");
  assertEquals((await client.readToEnd()).length, 0);
});

suite.test("a GET on a kept connection that dies unanswered is sent once more, and not again", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/first`));
  using kept = await origin.accept();
  await kept.message();
  await kept.send(response("first"));
  assertEquals((await client.message()).text, "first");
  await client.send(request("GET", `http://${origin.authority}/second`));
  assertEquals((await kept.message()).target, "/second");
  kept.end();
  using fresh = await origin.accept();
  assertEquals((await fresh.message()).target, "/second");
  fresh.end();
  const answer = await client.message();
  assertEquals(answer.status, 502);
  assert(await origin.isUntouched());
});

suite.test("requests with a body follow each other on one connection to the origin", async (proxy) => {
  let connections = 0;
  await using origin = await Origin.listen(async (connection) => {
    connections++;
    while (true) await connection.send(response((await connection.message()).text));
  });
  using client = await proxy.connect();
  for (let i = 0; i < 20; i++) {
    const body = `body ${i}`;
    await client.send(
      request("POST", `http://${origin.authority}/`, `Content-Length: ${body.length}`) + body,
    );
    assertEquals((await client.message()).text, body);
  }
  assertEquals(connections, 1);
});

suite.test("a POST whose connection dies unanswered is not sent again", async (proxy) => {
  let posts = 0;
  await using origin = await Origin.listen(async (connection) => {
    while ((await connection.message()).method === "GET") await connection.send(response("kept"));
    posts++;
  });
  using client = await proxy.connect();
  const uri = `http://${origin.authority}/`;
  await client.send(request("GET", uri));
  assertEquals((await client.message()).text, "kept");
  await client.send(`${request("POST", uri, "Content-Length: 4")}body`);
  assertEquals((await client.message()).status, 502);
  assertEquals(posts, 1);
});

suite.test("an answer given while the client still sends is not lost to a reset", async (proxy) => {
  await using port = await ClosedPort.take();
  const uri = `http://${port.authority}/`;
  const body = "x".repeat(300_000);
  const refused: [status: number, request: string][] = [
    [502, request("POST", uri, `Content-Length: ${body.length}`)],
    [400, request("POST", uri, "Content-Length: 1", `Content-Length: ${body.length}`)],
    [417, request("POST", uri, `Content-Length: ${body.length}`, "Expect: the-impossible")],
  ];
  for (const [status, head] of refused) {
    using client = await proxy.connect();
    await client.send(head + body);
    assertEquals((await client.message()).status, status);
    client.end();
    assertEquals(await client.ending(), "fin");
  }
});

suite.test("an answer that trickles lives while its bytes move", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  using target = await origin.accept();
  await target.message();
  await target.send("HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n");
  for (const letter of "abcdefghijklmnopqrstuvwxyz") {
    await target.send(letter);
    await client.until(letter);
  }
  assertEquals((await client.message()).text, "abcdefghijklmnopqrstuvwxyz");
});
