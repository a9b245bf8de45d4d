import { assert, assertEquals, assertThrows } from "@std/assert";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import { checkLoop, forwardedRequest, forwardedResponse } from "../../src/protocols/http1/forwarding.ts";
import { requestFraming, responseFraming } from "../../src/protocols/http1/framing.ts";
import type { Framing } from "../../src/protocols/http/message.ts";
import { RequestHeadReader } from "../../src/protocols/http1/head.ts";
import { faultOf, fromLatin1, latin1, type Lines, linesOf, request, response } from "../support/http1.ts";
import { readRequests, readResponses } from "../support/llhttp.ts";

const URI = "http://example.com:81/a?b";

interface RequestParts {
  readonly start?: string;
  readonly persistent?: boolean;
}

/** The head that the origin gets, line by line. Its last line is empty. */
function sent(
  lines: string[],
  { start = `GET ${URI} HTTP/1.1`, persistent = true }: RequestParts = {},
): string[] {
  const understood = request([start, "Host: other.example", ...lines, "", ""].join("\r\n"));
  const bytes = forwardedRequest(understood, { name: "proxy", persistent });
  assertSame(bytes, understood.framing);
  const [head, ...more] = fromLatin1(bytes).split("\r\n\r\n");
  assertEquals(more, [""]);
  return head.split("\r\n");
}

/** A head means the same to our own reader and to llhttp. */
function assertSame(bytes: Uint8Array, framing: Framing): void {
  const buffer = ByteBuffer.of(bytes);
  const head = new RequestHeadReader(1e6).read(buffer);
  assert(head, "Our own reader takes the head for incomplete");
  assertEquals([buffer.length, requestFraming(head)], [0, framing]);
  const { messages: [message, ...more], refused } = readRequests(bytes);
  assertEquals([refused, more.length], [undefined, 0]);
  const { method, target, version, fields } = head;
  assertEquals(
    [message.method, message.target, message.version, message.fields],
    [method, target, version, linesOf(fields)],
  );
  assertEquals(
    message.complete,
    framing.kind === "none" || (framing.kind === "length" && framing.length === 0),
  );
}

const VIA = "Via: 1.1 proxy";

Deno.test("the origin gets origin-form, and Host from the target and not from the client", () => {
  assertEquals(sent([]), ["GET /a?b HTTP/1.1", "Host: example.com:81", VIA]);
  assertEquals(sent([], { start: "GET http://EXAMPLE.com./ HTTP/1.1" })[1], "Host: EXAMPLE.com.");
  assertEquals(sent([], { start: "GET http://[2001:DB8::1]:80/ HTTP/1.1" })[1], "Host: [2001:DB8::1]:80");
});

Deno.test("OPTIONS without a path is sent on for *", () => {
  assertEquals(sent([], { start: "OPTIONS http://example.com:81 HTTP/1.1" }), [
    "OPTIONS * HTTP/1.1",
    "Host: example.com:81",
    VIA,
  ]);
});

Deno.test("path and query are sent on octet for octet", () => {
  const path = "/%41/../b//./%0d%0a?q=%20+/?";
  assertEquals(sent([], { start: `GET http://a${path} HTTP/1.1` })[0], `GET ${path} HTTP/1.1`);
});

Deno.test("a request of HTTP/1.0 is sent on in our version, and Via tells the one received", () => {
  assertEquals(sent([], { start: `GET ${URI} HTTP/1.0` }), [
    "GET /a?b HTTP/1.1",
    "Host: example.com:81",
    "Via: 1.0 proxy",
  ]);
});

Deno.test("a method is sent on as it is", () => {
  for (const method of ["PURGE", "QUERY", "M-SEARCH"]) {
    assertEquals(sent([], { start: `${method} ${URI} HTTP/1.1` })[0], `${method} /a?b HTTP/1.1`);
  }
});

Deno.test("the octets 0x80 to 0xFF of a field value are sent on unchanged", () => {
  for (let octet = 0x80; octet < 0x100; octet++) {
    const value = `${String.fromCharCode(octet)}a${String.fromCharCode(octet)}`;
    assertEquals(sent([`X: ${value}`])[2], `X: ${value}`);
    const head = response(`HTTP/1.1 200 ${value}\r\nX: ${value}\r\n\r\n`);
    const bytes = forwardedResponse(head, { ...TO_CLIENT, framing: { kind: "chunked" } });
    assert(fromLatin1(bytes).startsWith(`HTTP/1.1 200 ${value}\r\nX: ${value}\r\n`));
  }
});

Deno.test("lines of the same name are sent on in their order and are not merged", () => {
  const lines = ["X: 1", "Cookie: a=1", "x: 2", "Cookie: b=2", "X: 3"];
  assertEquals(sent(lines).slice(2, -1), lines);
});

Deno.test("fields that are not known are sent on as they were written", () => {
  const lines = [
    "x-UNKNOWN: a",
    "Empty: ",
    "!#$%&'*+-.^_`|~: b",
    "Forwarded: for=a",
    "X-Forwarded-For: b",
    "Trailer: X",
  ];
  assertEquals(sent(lines).slice(2, -1), lines);
});

Deno.test("the fields of one hop are not sent on", () => {
  const lines = [
    "Proxy-Connection: keep-alive",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Upgrade: websocket",
  ];
  for (const more of [[], ["connection: Keep-Alive"]]) {
    assertEquals(sent([...lines, "X: a", ...more]).slice(2), ["X: a", VIA]);
  }
});

const NOMINATED: [option: string, field: string][] = [
  ["x-foo", "X-Foo: a"],
  ["X-FOO", "x-foo: a"],
  ["x-foo, close", "X-Foo: a"],
  ["close,x-foo", "X-Foo: a"],
  [" , x-foo ,", "X-Foo: a"],
  ["X-Forwarded-For", "X-Forwarded-For: 192.0.2.1"],
  ["Proxy-Authorization", "Proxy-Authorization: Basic YTpi"],
  ["Cookie", "Cookie: a=b"],
];

for (const [option, field] of NOMINATED) {
  Deno.test(`Connection: ${option} takes ${field} and itself away`, () => {
    for (
      const lines of [[`Connection: ${option}`, field, "X: b"], [
        field,
        field,
        "X: b",
        "Connection: y",
        `Connection: ${option}`,
      ]]
    ) {
      assertEquals(sent(lines).slice(2), ["X: b", VIA]);
    }
  });
}

Deno.test("Connection cannot take away what frames or routes a message", () => {
  const options = ["Host", "host", "Content-Length", "Via", "Content-Length, Host, Via"];
  for (const option of options) {
    const lines = sent([`Connection: ${option}`, "Content-Length: 3", "Via: 1.0 fred"]);
    assertEquals(lines.slice(1), ["Host: example.com:81", "Via: 1.0 fred, 1.1 proxy", "Content-Length: 3"]);
  }
  assertEquals(sent(["Connection: Transfer-Encoding", "Transfer-Encoding: chunked"]).slice(1), [
    "Host: example.com:81",
    VIA,
    "Transfer-Encoding: chunked",
  ]);
  const maxForwards = sent(["Connection: Max-Forwards", "Max-Forwards: 3"], {
    start: `OPTIONS ${URI} HTTP/1.1`,
  });
  assertEquals(maxForwards.slice(2), [VIA, "Max-Forwards: 2"]);
});

Deno.test("Via tells the version received and our name, behind the proxies before us", () => {
  assertEquals(sent(["Via: 1.0 fred"])[2], "Via: 1.0 fred, 1.1 proxy");
  assertEquals(sent(["via: 1.0 fred, 1.1 p.example (Apache, 1.1)", "X: a", "VIA: HTTP/2 c"]).slice(2), [
    "X: a",
    "Via: 1.0 fred, 1.1 p.example (Apache, 1.1), HTTP/2 c, 1.1 proxy",
  ]);
  assertEquals(sent(["Via:", "Via: "])[2], VIA);
});

Deno.test("Max-Forwards of OPTIONS is one less, and never added", () => {
  const options = { start: `OPTIONS ${URI} HTTP/1.1` };
  assertEquals(sent(["Max-Forwards: 1"], options).slice(2), [VIA, "Max-Forwards: 0"]);
  assertEquals(sent(["Max-Forwards: 0070", "max-forwards: 9"], options).slice(2), [VIA, "Max-Forwards: 69"]);
  assertEquals(sent([], options).slice(2), [VIA]);
});

Deno.test("Max-Forwards of other methods is sent on as it is", () => {
  for (const value of ["0", "5", "x"]) {
    assertEquals(sent([`Max-Forwards: ${value}`])[2], `Max-Forwards: ${value}`);
  }
});

Deno.test("100-continue is sent on, unless an HTTP/1.0 client said it", () => {
  const lines = ["Expect: 100-continue", "Content-Length: 5"];
  assertEquals(sent(lines).slice(2), ["Expect: 100-continue", VIA, "Content-Length: 5"]);
  assertEquals(sent(lines, { start: `POST ${URI} HTTP/1.0` }).slice(2), [
    "Via: 1.0 proxy",
    "Content-Length: 5",
  ]);
});

Deno.test("Upgrade is sent on with its option where the client gave both", () => {
  const lines = ["Upgrade: WebSocket, irc", "Sec-WebSocket-Version: 13"];
  for (const persistent of [true, false]) {
    assertEquals(sent([...lines, "Connection: Upgrade, close"], { persistent }).slice(2), [
      "Sec-WebSocket-Version: 13",
      VIA,
      "Connection: upgrade",
      "Upgrade: WebSocket, irc",
    ]);
  }
  assertEquals(sent(lines).slice(2), ["Sec-WebSocket-Version: 13", VIA]);
  assertEquals(sent([...lines, "Connection: upgrade"], { start: `GET ${URI} HTTP/1.0` }).slice(2), [
    "Sec-WebSocket-Version: 13",
    "Via: 1.0 proxy",
  ]);
});

Deno.test("h2c is not sent on, nor are its settings", () => {
  const lines = ["Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__"];
  assertEquals(sent([...lines, "Upgrade: h2c"]).slice(2), [VIA]);
  assertEquals(sent([...lines, "Upgrade: h2c, websocket"]).slice(2), [
    VIA,
    "Connection: upgrade",
    "Upgrade: websocket",
  ]);
});

Deno.test("Proxy-Authorization is not sent on, Authorization is", () => {
  const lines = [
    "Proxy-Authorization: Basic YTpi",
    "proxy-authorization: Bearer c",
    "Authorization: Basic ZDpl",
  ];
  assertEquals(sent(lines).slice(2), ["Authorization: Basic ZDpl", VIA]);
});

Deno.test("a length is sent on as one plain number, chunked as one coding, and never both", () => {
  assertEquals(sent(["content-length: 00042"]).slice(2), [VIA, "Content-Length: 42"]);
  assertEquals(sent(["Content-Length: 0"]).slice(2), [VIA, "Content-Length: 0"]);
  assertEquals(sent(["transfer-encoding: ,Chunked,"]).slice(2), [VIA, "Transfer-Encoding: chunked"]);
});

Deno.test("the origin is told to close where its connection is not kept", () => {
  assertEquals(sent(["Connection: keep-alive"], { persistent: false }).slice(2), [VIA, "Connection: close"]);
});

Deno.test("a request that names no host cannot be forwarded", () => {
  for (const head of ["OPTIONS * HTTP/1.1", "CONNECT a:443 HTTP/1.1"]) {
    const understood = request(`${head}\r\nHost: a\r\n\r\n`);
    assertThrows(() => forwardedRequest(understood, { name: "proxy", persistent: true }), TypeError);
  }
});

const LOOPS: [via: string[], loop: boolean][] = [
  [[], false],
  [["1.1 other"], false],
  [["1.1 proxy2", "1.1 a-proxy, 1.1 proxy.example"], false],
  [["proxy"], false],
  [["1.1 other (proxy)"], false],
  [["1.1 proxy"], true],
  [["HTTP/1.0 proxy"], true],
  [["1.1\tproxy"], true],
  [["1.0 fred, 1.1  proxy (a comment), 1.1 c"], true],
  [["1.0 fred", "1.1 proxy"], true],
];

for (const [values, loop] of LOOPS) {
  Deno.test(`Via: ${values.join(" and ") || "none"} is ${loop ? "a loop" : "no loop"}`, () => {
    const fields = new Fields(values.map((value) => ({ name: "Via", value })));
    if (!loop) return checkLoop(fields, "proxy");
    const fault = faultOf(() => checkLoop(fields, "proxy"));
    assertEquals([fault.code, fault.status], ["proxy_loop_detected", 502]);
  });
}

Deno.test("what was sent on is known again as a loop", () => {
  const lines = sent(["Via: 1.0 fred"]).filter((line) => line.startsWith("Via: "));
  const fields = new Fields(lines.map((line) => ({ name: "Via", value: line.slice(5) })));
  faultOf(() => checkLoop(fields, "proxy"));
});

const DATE = new Date(Date.UTC(1994, 10, 15, 8, 12, 31));
const TO_CLIENT = { persistent: true, name: "proxy", date: () => DATE };

interface ResponseParts {
  readonly start?: string;
  readonly method?: string;
  readonly persistent?: boolean;
  /** The framing towards the client, where it is not the target's. */
  readonly framing?: Framing;
}

/** The head that the client gets, line by line. */
function received(lines: string[], parts: ResponseParts = {}): string[] {
  const { start = "HTTP/1.1 200 OK", method = "GET", persistent = true } = parts;
  const head = response([start, ...lines, "", ""].join("\r\n"));
  const framing = parts.framing ?? responseFraming(head, method);
  const bytes = forwardedResponse(head, { ...TO_CLIENT, framing, persistent });
  const text = fromLatin1(bytes);
  const bodyless = framing.kind === "none";
  const again = response(text);
  assertEquals(responseFraming(again, bodyless ? "HEAD" : "GET"), framing);
  const { messages: [message], refused } = readResponses(bytes, { bodyless });
  assertEquals([refused === undefined || !message.complete, message.status, message.fields], [
    true,
    head.status,
    linesOf(again.fields),
  ]);
  return text.slice(0, -4).split("\r\n");
}

const DATED = "Date: Sun, 06 Nov 1994 08:49:37 GMT";

Deno.test("a response is sent on with Via and the client's framing", () => {
  assertEquals(received(["Server: x", DATED, "content-length: 5"]), [
    "HTTP/1.1 200 OK",
    "Server: x",
    DATED,
    VIA,
    "Content-Length: 5",
  ]);
  assertEquals(
    received([DATED], { start: "HTTP/1.0 404 Not Found", framing: { kind: "chunked" }, persistent: false }),
    [
      "HTTP/1.1 404 Not Found",
      DATED,
      "Via: 1.0 proxy",
      "Transfer-Encoding: chunked",
      "Connection: close",
    ],
  );
});

Deno.test("a reason is sent on as it is, an empty one with its space", () => {
  assertEquals(received([], { start: "HTTP/1.1 200  Very  OK " })[0], "HTTP/1.1 200  Very  OK ");
  for (const start of ["HTTP/1.1 301", "HTTP/1.1 301 "]) {
    assertEquals(received([], { start })[0], "HTTP/1.1 301 ");
  }
});

Deno.test("9110 6.6.1: a final response without Date gets one, and no other", () => {
  const date = "Date: Tue, 15 Nov 1994 08:12:31 GMT";
  assertEquals(received(["Content-Length: 0"]), ["HTTP/1.1 200 OK", date, VIA, "Content-Length: 0"]);
  assertEquals(received(["date: x", "Content-Length: 0"]), [
    "HTTP/1.1 200 OK",
    "date: x",
    VIA,
    "Content-Length: 0",
  ]);
  assertEquals(received([], { start: "HTTP/1.1 103 Early Hints" }), ["HTTP/1.1 103 Early Hints", VIA]);
  // One that is taken away for this hop leaves none.
  assertEquals(received([DATED, "Connection: date", "Content-Length: 0"])[1], date);
});

Deno.test("Set-Cookie lines are sent on one by one and in their order", () => {
  const lines = [
    "Set-Cookie: a=1",
    "X: b",
    "set-cookie: c=2",
    "Set-Cookie: a=3; Expires=Wed, 09 Jun 2021 10:18:14 GMT",
  ];
  assertEquals(received([DATED, ...lines]).slice(2, -1), lines);
});

Deno.test("fields of a response that are not known are sent on, also those of the origin's own authentication", () => {
  const lines = [
    "x-UNKNOWN: a",
    'WWW-Authenticate: Basic realm="a", Digest b',
    "Proxy-Status: other; error=dns_error",
    "Trailer: X",
  ];
  assertEquals(received([DATED, ...lines]).slice(2, -1), lines);
});

Deno.test("what is mended in a response is sent on mended", () => {
  assertEquals(received([DATED, "X : a", "Y: b", " \tc", "Z:\td "]).slice(2, -1), ["X: a", "Y: b c", "Z: d"]);
});

Deno.test("lines that end with LF, or with white space before it, are sent on with CRLF alone", () => {
  const head = response("HTTP/1.1 200 OK\nDate: x \nX: a\nY:b\t\r\nZ: c\r\n\n");
  const bytes = forwardedResponse(head, { ...TO_CLIENT, framing: { kind: "none" } });
  assertEquals(
    fromLatin1(bytes),
    `HTTP/1.1 200 OK\r\nDate: x\r\nX: a\r\nY: b\r\nZ: c\r\n${VIA}\r\n\r\n`,
  );
});

Deno.test("the fields of one hop are not sent on in a response", () => {
  const lines = [
    ...[
      "Connection: x-foo, Keep-Alive",
      "X-Foo: a",
      "Keep-Alive: timeout=5",
      "Proxy-Connection: close",
      "TE: a",
    ],
    ...["Upgrade: h2c", 'Proxy-Authenticate: Basic realm="a"', "Proxy-Authentication-Info: b"],
  ];
  assertEquals(received([DATED, ...lines]).slice(1), [DATED, VIA]);
});

Deno.test("Connection cannot take away the framing of a response", () => {
  const lines = received([DATED, "Connection: Content-Length, Via", "Content-Length: 5", "Via: 1.0 fred"]);
  assertEquals(lines.slice(1), [DATED, "Via: 1.0 fred, 1.1 proxy", "Content-Length: 5"]);
});

Deno.test("1xx and 204 are sent on without Content-Length and Transfer-Encoding", () => {
  for (const status of [100, 103, 199, 204]) {
    for (const line of ["Content-Length: 5", "Transfer-Encoding: chunked"]) {
      assertEquals(received([DATED, line], { start: `HTTP/1.1 ${status} x` }).slice(1), [DATED, VIA]);
    }
  }
});

Deno.test("an answer to an HTTP/1.0 client has no Transfer-Encoding and ends at the close", () => {
  const lines = received([DATED, "Transfer-Encoding: chunked"], {
    framing: { kind: "close" },
    persistent: false,
  });
  assertEquals(lines.slice(1), [DATED, VIA, "Connection: close"]);
});

Deno.test("a response to HEAD, and a 304, tell the length of a body that they do not have", () => {
  for (const [start, method] of [["HTTP/1.1 200 OK", "HEAD"], ["HTTP/1.1 304 Not Modified", "GET"]]) {
    const told = (...lines: string[]) => received([DATED, ...lines], { start, method }).slice(3);
    assertEquals(told("Content-Length: 5"), ["Content-Length: 5"]);
    assertEquals(told("Content-Length: 5, 5", "Content-Length: 5"), ["Content-Length: 5"]);
    assertEquals(told(), []);
    assertEquals(told("Content-Length:"), []);
    assertEquals(told("Content-Length: ,"), []);
    assertEquals(told("Transfer-Encoding: chunked"), []);
    // RFC 9112 section 6.3: Transfer-Encoding overrides Content-Length, which must not be sent on.
    assertEquals(told("Transfer-Encoding: chunked", "Content-Length: 5"), []);
  }
});

Deno.test("a length that was given twice is sent on once", () => {
  const lines = received([DATED, "Content-Length: 005", "X: a", "Content-Length: 005"]);
  assertEquals(lines.slice(1), [DATED, "X: a", VIA, "Content-Length: 5"]);
});

Deno.test("101 is sent on with its protocol, and Upgrade nowhere else", () => {
  const lines = ["Connection: Upgrade", "upgrade: websocket", "Sec-WebSocket-Accept: a"];
  const start = "HTTP/1.1 101 Switching Protocols";
  const head = response([start, ...lines, "", ""].join("\r\n"));
  for (const persistent of [true, false]) {
    const bytes = forwardedResponse(head, { ...TO_CLIENT, persistent, framing: { kind: "none" } });
    assertEquals(fromLatin1(bytes).split("\r\n"), [
      ...[start, "Sec-WebSocket-Accept: a", VIA, "Connection: upgrade", "Upgrade: websocket", "", ""],
    ]);
    assertEquals(readResponses(bytes).messages[0].upgrade, true);
  }
  assertEquals(received([DATED, ...lines], { start: "HTTP/1.1 426 x" }).slice(1), [
    DATED,
    "Sec-WebSocket-Accept: a",
    VIA,
  ]);
});

Deno.test("the client is told to close where its connection is not kept", () => {
  for (const framing of [{ kind: "length", length: 5 }, { kind: "chunked" }, { kind: "none" }] as const) {
    assertEquals(received([DATED], { framing, persistent: false }).at(-1), "Connection: close");
    assertEquals(received([DATED, "Connection: close"], { framing }).includes("Connection: close"), false);
  }
});

Deno.test("a request with a body is the same message to llhttp", () => {
  const lines: Lines = [["Content-Length", "5"], ["Transfer-Encoding", "chunked"]];
  const bodies = ["hello", "5\r\nhello\r\n0\r\nX: a\r\n\r\n"];
  for (const [i, [name, value]] of lines.entries()) {
    const understood = request(`POST ${URI} HTTP/1.1\r\nHost: a\r\n${name}: ${value}\r\n\r\n`);
    const head = forwardedRequest(understood, { name: "proxy", persistent: true });
    const { messages, refused } = readRequests(latin1(fromLatin1(head) + bodies[i]));
    assertEquals([refused, messages.length, messages[0].body, messages[0].complete], [
      undefined,
      1,
      "hello",
      true,
    ]);
  }
});
