/**
 * Heads on their way through: targets, methods and fields (RFC 9110 section 7.6, RFC 9112 section 3).
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import type { FieldLines } from "../support/http_message.ts";

const suite = new Suite();

/** All but Via and Date, whose values are the proxy's own. */
function plain(fields: FieldLines): string[] {
  return fields.filter(([name]) => !/^(?:via|date)$/i.test(name)).map(([name, value]) => `${name}: ${value}`)
    .sort();
}

suite.test("a request leaves in origin-form, with Host from its target and without this hop's fields", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send([
    `GET http://${origin.authority}/a?b HTTP/1.1`,
    "Host: elsewhere.test",
    "X-First: 1",
    "Connection: x-hop, close, Host, X-Forwarded-For",
    "X-Hop: gone",
    "Proxy-Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "TE: trailers",
    "X-Forwarded-For: 192.0.2.1",
    "Via: 1.0 before",
    "Authorization: Basic b3JpZ2luOnM=",
    "X-Octets: \x80\xFF",
    "X-First: 2",
    "",
    "",
  ].join("\r\n"));
  using target = await origin.accept();
  const received = await target.message();
  assertEquals(received.startLine, "GET /a?b HTTP/1.1");
  assertMatch(received.field("via") ?? "", /^1\.0 before, 1\.1 [\w.-]+$/);
  const fields = plain(received.fields).filter((line) => !/^connection: (?:close|keep-alive)$/i.test(line));
  assertEquals(fields, [
    "Authorization: Basic b3JpZ2luOnM=",
    `Host: ${origin.authority}`,
    "X-First: 1",
    "X-First: 2",
    "X-Octets: \x80\xFF",
  ]);
});

suite.test("a response keeps its end-to-end fields in order and loses this hop's", async (proxy) => {
  await using origin = await httpOrigin(() =>
    response(
      "ok",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2, c",
      "X-Octets: \x80\xFF",
      "Connection: keep-alive, x-hop",
      "X-Hop: gone",
      "Keep-Alive: timeout=5",
      "Proxy-Connection: keep-alive",
      "Via: 1.0 before",
    )
  );
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  const received = await client.message();
  assertEquals(received.startLine, "HTTP/1.1 200 OK");
  assertEquals(received.text, "ok");
  assertMatch(received.field("via") ?? "", /^1\.0 before, 1\.1 [\w.-]+$/);
  assertEquals(plain(received.fields), [
    "Content-Length: 2",
    "Set-Cookie: a=1",
    "Set-Cookie: b=2, c",
    "X-Octets: \x80\xFF",
  ]);
  assertEquals(received.fields.filter(([name]) => name === "Set-Cookie").map(([, value]) => value), [
    "a=1",
    "b=2, c",
  ]);
});

suite.test("path and query arrive octet for octet, and an empty path is /", async (proxy) => {
  await using origin = await httpOrigin((received) => response(received.target));
  using client = await proxy.connect();
  for (
    const [sent, received = sent] of [
      ["/"],
      ["", "/"],
      ["?q", "/?q"],
      ["/a/../b/./%7euser//c?x=%0d%0a&y=http://z/?#".slice(0, -1)],
      ["/;,:@&=+$!*'()~|`^{}\"<>\\[]"],
      [`/${"x".repeat(8000)}`],
    ]
  ) {
    await client.send(`GET http://${origin.authority}${sent} HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`);
    assertEquals((await client.message()).text, received);
  }
});

suite.test("a target that is not for a proxy is refused with 400 and goes nowhere", async (proxy) => {
  await using origin = await httpOrigin();
  const { authority } = origin;
  const targets = [
    "/",
    "*",
    authority,
    `http://user:secret@${authority}/`,
    `http://${authority}/#part`,
    "http:///",
    `ftp://${authority}/`,
  ];
  for (
    const target of [...targets, `http://127.0.0.1:0/`, "http://127.0.0.1:65536/", `http://${authority}x/`]
  ) {
    using client = await proxy.connect();
    await client.send(`GET ${target} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    const answer = await client.message();
    assertEquals(answer.status, 400, target);
    assert(!answer.text.includes("secret"));
  }
  assert(await origin.isUntouched());
});

suite.test("OPTIONS without a path leaves as OPTIONS *, and Max-Forwards counts down to us", async (proxy) => {
  await using origin = await httpOrigin((received) =>
    response(`${received.target} ${received.field("max-forwards")}`)
  );
  using client = await proxy.connect();
  const uri = `http://${origin.authority}`;
  for (const [fields, seen] of [[[], "* undefined"], [["Max-Forwards: 2"], "* 1"]] as const) {
    await client.send(`OPTIONS ${uri} HTTP/1.1\r\n${["Host: x", ...fields].join("\r\n")}\r\n\r\n`);
    assertEquals((await client.message()).text, seen);
  }
  for (const target of [uri, "*"]) {
    await client.send(`OPTIONS ${target} HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n`);
    const answer = await client.message();
    assertEquals([answer.status, answer.text], [200, ""]);
    assertEquals(answer.field("via"), undefined);
  }
});

suite.test("methods that are not known are forwarded", async (proxy) => {
  await using origin = await httpOrigin((received) => response(received.method));
  using client = await proxy.connect();
  for (const method of ["PROPFIND", "get", "M-SEARCH", "X!#$%&'*+-.^_`|~"]) {
    await client.send(request(method, `http://${origin.authority}/`));
    assertEquals((await client.message()).text, method);
  }
});

suite.test("an upgrade that both sides want turns the connection into a tunnel", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(
    `${request("GET", `http://${origin.authority}/`, "Connection: Upgrade", "Upgrade: h2c, chat")}early`,
  );
  using target = await origin.accept();
  const received = await target.message();
  assertEquals([received.field("connection")?.toLowerCase(), received.field("upgrade")], ["upgrade", "chat"]);
  await target.send("HTTP/1.1 100 Continue\r\n\r\n");
  await target.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhello");
  assertEquals((await client.message()).status, 100);
  const switched = await client.message();
  assertEquals([switched.status, switched.field("connection"), switched.field("upgrade")], [
    101,
    "upgrade",
    "chat",
  ]);
  assertEquals(await client.readUntil("hello"), "hello");
  assertEquals(await target.readUntil("early"), "early");
  client.end();
  assertEquals((await target.readToEnd()).length, 0);
  await target.send("and goodbye");
  target.end();
  assertEquals(String(await client.readToEnd()), "and goodbye");
});

suite.test("an Upgrade that Connection does not name, or of HTTP/1.0, is not forwarded", async (proxy) => {
  await using origin = await httpOrigin((received) => response(`${received.field("upgrade")}`));
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`, "Upgrade: chat"));
  assertEquals((await client.message()).text, "undefined");
  await client.send(
    `GET http://${origin.authority}/ HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n`,
  );
  assertEquals((await client.message()).text, "undefined");
});
