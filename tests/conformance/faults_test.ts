/**
 * What a client is told when something goes wrong: the table of failures, on each protocol (RFC 9110 section 15,
 * RFC 9209 section 2.3, RFC 1928 section 6).
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import type { HttpMessage } from "../support/http_message.ts";
import { BlackHole, ClosedPort, httpOrigin, Origin, response } from "../support/origin.ts";
import type { ProxyProcess } from "../support/proxy.ts";

const suite = new Suite({ flags: ["--connect-timeout", "500ms", "--idle-timeout", "1s", "--name", "here"] });

/** Sends a request and receives what the proxy says to it. */
async function ask(proxy: ProxyProcess, bytes: string): Promise<HttpMessage> {
  using client = await proxy.connect();
  await client.send(bytes);
  const bodiless = bytes.startsWith("HEAD ");
  const answer = await client.message({ bodiless });
  if (answer.field("connection") === "close") assertEquals((await client.readToEnd()).length, 0);
  return answer;
}

/** The reply to a SOCKS5 request, which is followed by the close. */
async function askSocks5(proxy: ProxyProcess, bytes: Uint8Array): Promise<number> {
  using client = await proxy.connect();
  await client.send(SOCKS5_GREETING);
  await client.send(bytes);
  await client.read(2);
  const reply = await socks5Reply(client);
  assertEquals((await client.readToEnd()).length, 0);
  return reply;
}

/** The reply to a SOCKS4 request, which is followed by the close. */
async function askSocks4(proxy: ProxyProcess, bytes: Uint8Array): Promise<number> {
  using client = await proxy.connect();
  await client.send(bytes);
  const reply = await client.readToEnd();
  assertEquals([reply.length, reply[0]], [8, 0]);
  return reply[1];
}

/** What a client is told of a target that cannot be reached, on every protocol. */
interface Unreachable {
  readonly host: string;
  readonly port: number;
  readonly status: number;
  readonly error: string;
  readonly socks5: number;
}

async function assertUnreachable(
  proxy: ProxyProcess,
  { host, port, status, error, socks5 }: Unreachable,
): Promise<void> {
  const authority = `${host}:${port}`;
  for (
    const head of [
      request("GET", `http://${authority}/`),
      `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
    ]
  ) {
    const answer = await ask(proxy, head);
    assertEquals([answer.status, answer.field("proxy-status")], [status, `here; error=${error}`]);
  }
  assertEquals(await askSocks5(proxy, socks5Request(host, port)), socks5);
  assertEquals(await askSocks4(proxy, socks4Request(host, port)), 0x5B);
}

suite.test("a target that refuses is 502 connection_refused, 05, 5B", async (proxy) => {
  await using closed = await ClosedPort.take();
  await assertUnreachable(proxy, {
    host: "127.0.0.1",
    port: closed.port,
    status: 502,
    error: "connection_refused",
    socks5: 5,
  });
});

suite.test("a target that does not accept in time is 504 connection_timeout, 04, 5B", async (proxy) => {
  using hole = await BlackHole.open();
  await assertUnreachable(proxy, {
    host: "127.0.0.1",
    port: hole.port,
    status: 504,
    error: "connection_timeout",
    socks5: 4,
  });
});

suite.test("a name that does not exist is 502 dns_error, 04, 5B", async (proxy) => {
  // With 255 octets, and the two that DNS adds, it is too long to be asked for: no packet leaves the machine.
  const host = Array(4).fill("x".repeat(63)).join(".");
  await assertUnreachable(proxy, { host, port: 80, status: 502, error: "dns_error", socks5: 4 });
});

suite.test("a request to the proxy itself is 502 proxy_loop_detected, 02, 5B", async (proxy) => {
  for (const host of ["127.0.0.1", "localhost", "0.0.0.0"]) {
    await assertUnreachable(proxy, {
      host,
      port: proxy.port,
      status: 502,
      error: "proxy_loop_detected",
      socks5: 2,
    });
  }
  const answer = await ask(proxy, request("GET", "http://127.0.0.1:1/", "Via: 1.1 before, 1.1 here"));
  assertEquals([answer.status, answer.field("proxy-status")], [502, "here; error=proxy_loop_detected"]);
});

suite.test("requests that cannot be served are 400, 405, 417, 501 and 505, and the connection closes", async (proxy) => {
  await using origin = await httpOrigin();
  const uri = `http://${origin.authority}/`;
  const requests: (readonly [status: number, request: string])[] = [
    [400, `GET ${uri} HTTP/1.1\r\n\r\n`],
    [400, `GET ${uri} HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n`],
    [400, `GET ${uri} HTTP/1.1\r\nHost: a b\r\n\r\n`],
    [400, request("POST", uri, "Content-Length: 1", "Content-Length: 2")],
    ...["-1", "+1", "0x1", "1e0", "1_0", "1 2", ""].map((length) =>
      [400, request("GET", uri, `Content-Length: ${length}`)] as const
    ),
    [413, request("POST", uri, "Content-Length: 99999999999999999999")],
    [400, `POST ${uri} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n`],
    [400, request("GET", uri, "X: a\nX-Evil: b")],
    [400, request("GET", uri, "X: a\r\n folded")],
    [400, request("GET", uri, "X: a\rb")],
    [400, request("GET", uri, "X: a\0b")],
    [400, request("GET", uri, "X : a")],
    [400, request("GET", uri, "Content-Length: 0", "Transfer-Encoding: chunked")],
    [400, request("GET", uri, "Transfer-Encoding: chunked, identity")],
    [405, request("TRACE", uri)],
    [417, request("GET", uri, "Expect: a-miracle")],
    [501, request("POST", uri, "Transfer-Encoding: gzip, chunked")],
    [501, request("X".repeat(100), uri)],
    [505, `GET ${uri} HTTP/2.0\r\nHost: x\r\n\r\n`],
  ];
  for (const [status, bytes] of requests) {
    const answer = await ask(proxy, bytes);
    assertEquals([answer.status, answer.field("connection")], [status, "close"], bytes);
    assertEquals(answer.field("proxy-status"), "here; error=http_request_error");
    if (status === 405) assertMatch(answer.field("allow") ?? "", /\bGET\b/);
  }
  assert(await origin.isUntouched());
});

suite.test("a chunk that is framed wrongly is 400, and the origin never sees a whole request", async (proxy) => {
  const seen: string[] = [];
  await using origin = await httpOrigin(({ target }) => {
    seen.push(target);
    return response("ok");
  });
  const sizes = ["0x5", "+5", "-5", "5 ", " 5", "g", "", "5_0", "fffffffffffffffff", "5;a\rb", "5;;"];
  for (
    const body of [
      ...sizes.map((size) => `${size}\r\nhello\r\n`),
      "5\nhello\r\n",
      "4\r\nhello\r\n",
      "5\r\nhello\n",
      "5\r\nhello\rx",
    ]
  ) {
    const post = request("POST", `http://${origin.authority}/`, "Transfer-Encoding: chunked");
    const answer = await ask(proxy, `${post}${body}0\r\n\r\n`);
    assert(answer.status === 400 || answer.status === 413, `${answer.startLine} for ${JSON.stringify(body)}`);
    assertEquals(answer.field("connection"), "close");
  }
  assertEquals(seen, []);
});

suite.test("answers of the origin that are no HTTP are 502, and name what was wrong", async (proxy) => {
  await using origin = await Origin.listen();
  const answers: [error: string, answer: string][] = [
    ["http_protocol_error", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n"],
    ["http_protocol_error", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    ["http_protocol_error", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"],
    ["http_protocol_error", "HTTP/1.1 200 OK\r\nBad name: x\r\n\r\n"],
    ["http_protocol_error", "HTTP/1.1 99 OK\r\n\r\n"],
    ["http_response_incomplete", "HTTP/1.1 200 OK\r\nContent-Len"],
    ["http_response_incomplete", "HTT"],
    ["connection_terminated", ""],
    [
      "http_upgrade_failed",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
    ],
    ["http_response_header_section_size", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`],
  ];
  for (const [error, text] of answers) {
    using client = await proxy.connect();
    // A body that follows is not to be taken for a request, so the connection may close; without one it need not.
    await client.send(request("GET", `http://${origin.authority}/`));
    using target = await origin.accept();
    await target.message();
    await target.send(text);
    target.end();
    const answer = await client.message();
    assertEquals(
      [answer.status, answer.field("proxy-status")],
      [502, `here; error=${error}`],
      text.slice(0, 80),
    );
  }
});

suite.test("an origin that resets before it answers is 502 connection_terminated", async (proxy) => {
  await using origin = await Origin.listen();
  for (const request of ["GET / ", "POST / "]) {
    using client = await proxy.connect();
    await client.send(
      `${
        request.replace("/", `http://${origin.authority}/`)
      }HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody`,
    );
    using target = await origin.accept();
    await target.message();
    target.reset();
    const answer = await client.message();
    assertEquals([answer.status, answer.field("proxy-status")], [502, "here; error=connection_terminated"]);
  }
});

suite.test("an origin that stays silent is 504 http_response_timeout", async (proxy) => {
  await using origin = await Origin.listen();
  const answer = await ask(proxy, request("GET", `http://${origin.authority}/`));
  assertEquals([answer.status, answer.field("proxy-status")], [504, "here; error=http_response_timeout"]);
});

suite.test("an origin that falls silent in its body is cut off, without a new status", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  using target = await origin.accept();
  await target.message();
  await target.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  await client.readUntil("hello\r\n");
  await client.ending();
  assertEquals(client.received.length, 0);
  await target.ending();
});

suite.test("an answer of the proxy repeats nothing of the request, and HEAD gets it without a body", async (proxy) => {
  await using closed = await ClosedPort.take();
  const uri = `http://${closed.authority}/secret-path?secret-query`;
  const secrets = [
    "Connection: close",
    "User-Agent: secret-agent",
    "Cookie: secret-cookie",
    "Proxy-Authorization: Basic c2VjcmV0OnNlY3JldA==",
  ];
  for (const accept of ["Accept: */*", "Accept: text/html,application/xhtml+xml,*/*;q=0.8"]) {
    const answer = await ask(proxy, request("GET", uri, ...secrets, accept));
    assertEquals(answer.status, 502);
    const html = accept.includes("html");
    assertMatch(answer.field("content-type") ?? "", html ? /^text\/html/ : /^text\/plain/);
    assertMatch(answer.text, html ? /^<!doctype html>/i : /^[A-Z].+\.\n$/);
    assertNotMatch(JSON.stringify(answer.fields) + answer.text, /secret|c2Vj/);
    const head = await ask(proxy, request("HEAD", uri, ...secrets, accept));
    assertEquals([head.status, head.field("content-length"), head.text], [
      502,
      String(answer.body.length),
      "",
    ]);
  }
});
