import { assert, assertEquals } from "@std/assert";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { RequestHeadReader, ResponseHeadReader } from "../../src/protocols/http1/head.ts";
import { MAX_FIELDS } from "../../src/protocols/http1/section.ts";
import { assertFaults, assertReads, assertWaits } from "../support/codec.ts";
import { latin1, type Lines, type PlainHead, requestHeads, responseHeads } from "../support/http1.ts";

const URI = "http://example.com/";

function head(fields: Lines = [], parts: Partial<PlainHead> = {}): PlainHead {
  return { method: "GET", target: URI, version: "1.1", fields, ...parts };
}

const REQUESTS: [what: string, text: string, head: PlainHead][] = [
  ["no fields", `GET ${URI} HTTP/1.1\r\n\r\n`, head()],
  ["fields", `GET ${URI} HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n`, head([["Host", "a"], ["X", "b"]])],
  ["origin-form", "GET /a?b HTTP/1.1\r\n\r\n", head([], { target: "/a?b" })],
  ["HTTP/1.0", `GET ${URI} HTTP/1.0\r\n\r\n`, head([], { version: "1.0" })],
  ["a method of one character", `g ${URI} HTTP/1.1\r\n\r\n`, head([], { method: "g" })],
  [
    "every URI character",
    "GET !\"#$%&'()*+<>[\\]^`{|}~ HTTP/1.1\r\n\r\n",
    head([], { target: "!\"#$%&'()*+<>[\\]^`{|}~" }),
  ],
];

for (const [what, text, expected] of REQUESTS) {
  Deno.test(`RequestHeadReader reads a request with ${what}`, () => {
    assertReads(requestHeads(), latin1(text), [expected]);
  });
}

const REQUESTS_BY_ID: [name: string, text: string, head: PlainHead][] = [
  ["an empty line before the request line is ignored", `\r\nGET ${URI} HTTP/1.1\r\n\r\n`, head()],
  ["a later minor version is taken for 1.1", `GET ${URI} HTTP/1.9\r\n\r\n`, head()],
  [
    "an unknown method is read",
    `BREW-coffee ${URI} HTTP/1.1\r\n\r\n`,
    head([], { method: "BREW-coffee" }),
  ],
  ["methods are told apart by case", `get ${URI} HTTP/1.1\r\n\r\n`, head([], { method: "get" })],
  [
    "a method of 32 characters is read",
    `${"M".repeat(32)} ${URI} HTTP/1.1\r\n\r\n`,
    head([], { method: "M".repeat(32) }),
  ],
  [
    "octets above 0x7F in a field value are read as they are",
    `GET ${URI} HTTP/1.1\r\nX: \x80\xA0\xFF\r\n\r\n`,
    head([["X", "\x80\xA0\xFF"]]),
  ],
  [
    "lines of the same name stay apart and in order",
    `GET ${URI} HTTP/1.1\r\nX: 1\r\nY: 2\r\nx: 3\r\n\r\n`,
    head([["X", "1"], ["Y", "2"], ["x", "3"]]),
  ],
];

for (const [name, text, expected] of REQUESTS_BY_ID) {
  Deno.test(name, () => assertReads(requestHeads(), latin1(text), [expected]));
}

Deno.test("a request line of 8000 octets is read", () => {
  const target = URI.padEnd(8000 - "GET  HTTP/1.1".length, "x");
  assertReads(requestHeads(), latin1(`GET ${target} HTTP/1.1\r\n\r\n`), [head([], { target })]);
});

const BAD_REQUESTS: [what: string, text: string, status: number][] = [
  ["two empty lines", `\r\n\r\nGET ${URI} HTTP/1.1\r\n\r\n`, 400],
  ["the signature of PROXY v2", "\r\n\r\n\0\r\nQUIT\n", 400],
  ["a bare CR in the request line", `GET ${URI} HTTP/1.1\rX: a\r\n\r\n`, 400],
  ["a bare CR for a space", `GET\r${URI} HTTP/1.1\r\n\r\n`, 400],
  ["a bare CR in the target", "GET /\r HTTP/1.1\r\n\r\n", 400],
  ["a bare CR in a field name", `GET ${URI} HTTP/1.1\r\nX\rY: a\r\n\r\n`, 400],
  ["a bare CR in a field value", `GET ${URI} HTTP/1.1\r\nX: a\rY: b\r\n\r\n`, 400],
  ["two CRs before the LF", `GET ${URI} HTTP/1.1\r\nX: a\r\r\n\r\n`, 400],
  ["a bare CR on the empty line", `GET ${URI} HTTP/1.1\r\nX: a\r\n\r\r\n`, 400],
  ["a bare CR before the request line", `\rGET ${URI} HTTP/1.1\r\n\r\n`, 400],
  ["a request line that ends with LF", `GET ${URI} HTTP/1.1\nHost: a\r\n\r\n`, 400],
  ["a field line that ends with LF", `GET ${URI} HTTP/1.1\r\nX: a\n\r\n`, 400],
  ["an empty line of LF alone", `GET ${URI} HTTP/1.1\r\nX: a\r\n\n`, 400],
  ["LF before the request line", `\nGET ${URI} HTTP/1.1\r\n\r\n`, 400],
  ["white space before the first field line", `GET ${URI} HTTP/1.1\r\n X: a\r\n\r\n`, 400],
  ["a white line before the first field line", `GET ${URI} HTTP/1.1\r\n \r\n\r\n`, 400],
  ["no method", ` ${URI} HTTP/1.1\r\n`, 400],
  ["a method that is no token", `GE(T) ${URI} HTTP/1.1\r\n`, 400],
  ["a method with obs-text", `GET\xDF ${URI} HTTP/1.1\r\n`, 400],
  ["one part", "GET\r\n", 400],
  ["the request line of HTTP/0.9", "GET /\r\n", 400],
  ["a PROXY v1 line", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", 400],
  ["a response", "HTTP/1.1 200 OK\r\n", 400],
  ["white space behind the version", `GET ${URI} HTTP/1.1 \r\n`, 400],
  ["a line that is no field", `GET ${URI} HTTP/1.1\r\nX\r\n`, 400],
  ["a version in lower case", `GET ${URI} http/1.1\r\n`, 400],
  ["another protocol", `GET ${URI} RTSP/1.0\r\n`, 400],
  ["a minor version of two digits", `GET ${URI} HTTP/1.10\r\n`, 400],
  ["a major version of two digits", `GET ${URI} HTTP/01.1\r\n`, 400],
  ["a version without its minor one", `GET ${URI} HTTP/1\r\n`, 400],
  ["HTTP/2.0", `GET ${URI} HTTP/2.0\r\n`, 505],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n", 505],
  ["HTTP/0.9", `GET ${URI} HTTP/0.9\r\n`, 505],
  ["a method of 33 characters", `${"M".repeat(33)} ${URI} HTTP/1.1\r\n`, 501],
  ["a space in the target", "GET http://a/ b HTTP/1.1\r\n", 400],
  ["a tab in the target", "GET http://a/\tb HTTP/1.1\r\n", 400],
  ["two spaces before the target", `GET  ${URI} HTTP/1.1\r\n`, 400],
  ["two spaces behind the target", `GET ${URI}  HTTP/1.1\r\n`, 400],
  ["a tab for a space", `GET\t${URI} HTTP/1.1\r\n`, 400],
  ["no target", "GET  HTTP/1.1\r\n", 400],
  ["obs-text in the target", "GET /\xC3\xA0 HTTP/1.1\r\n", 400],
  ["a control character in the target", "GET /\x01 HTTP/1.1\r\n", 400],
  ["DEL in the target", "GET /\x7F HTTP/1.1\r\n", 400],
  ["white space before the colon", `GET ${URI} HTTP/1.1\r\nX : a\r\n`, 400],
  ["a folded line", `GET ${URI} HTTP/1.1\r\nX: a\r\n b\r\n`, 400],
  ["NUL in a field value", `GET ${URI} HTTP/1.1\r\nX: a\0b\r\n`, 400],
];

for (const [what, text, status] of BAD_REQUESTS) {
  Deno.test(`${what} is refused with ${status} in a request`, () => {
    for (const { fault } of assertFaults(requestHeads(), latin1(text))) {
      assertEquals([fault.code, fault.status], ["http_request_error", status]);
    }
  });
}

Deno.test("a request head is waited for as long as nothing is wrong with it", () => {
  const texts = [
    "",
    "\r",
    "\r\n",
    "GET",
    `GET ${URI} HTTP/1!`,
    `GET ${URI} HTTP/1.1\r`,
    `GET ${URI} HTTP/1.1\r\nX: a\r\n\r`,
  ];
  for (const text of texts) assertWaits(requestHeads(), latin1(text));
});

Deno.test("RequestHeadReader tells the start line before the rest has come, and when the rest is refused", () => {
  const reader = new RequestHeadReader(1000);
  const buffer = ByteBuffer.of(latin1("HEAD /a HTTP/1.0"));
  assertEquals([reader.read(buffer), reader.startLine], [undefined, undefined]);
  buffer.append(latin1("\r\n"));
  assertEquals(reader.read(buffer), undefined);
  assertEquals(reader.startLine, { method: "HEAD", target: "/a", version: "1.0" });
  for (
    const { codec } of assertFaults(
      { make: () => new RequestHeadReader(1000) },
      latin1("HEAD /a HTTP/1.0\r\n:\r\n"),
    )
  ) {
    assertEquals(codec.startLine?.method, "HEAD");
  }
});

/** A head of exactly so many octets. */
function sized(size: number, startLine: string): string {
  const empty = `${startLine}\r\nX: \r\n\r\n`;
  return empty.replace("X: ", `X: ${"x".repeat(size - empty.length)}`);
}

Deno.test("a request head of the most octets allowed is read, one octet more is refused with 431", () => {
  const good = sized(1000, `GET ${URI} HTTP/1.1`);
  assertEquals(good.length, 1000);
  const fields: Lines = [["X", "x".repeat(1000 - `GET ${URI} HTTP/1.1\r\nX: \r\n\r\n`.length)]];
  assertReads(requestHeads(1000), latin1(good), [head(fields)]);
  // An empty line in front counts.
  for (const text of [sized(1001, `GET ${URI} HTTP/1.1`), `\r\n${good}`]) {
    for (const { fault } of assertFaults(requestHeads(1000), latin1(text))) {
      assertEquals([fault.code, fault.status], ["http_request_error", 431]);
    }
  }
});

Deno.test("a head has up to 1000 fields, and one more is refused with 431, or is the target's fault", () => {
  const fields = (count: number) => "a:\r\n".repeat(count);
  const start = `GET ${URI} HTTP/1.1\r\n`;
  const lines = Array.from({ length: MAX_FIELDS }, (): [string, string] => ["a", ""]);
  assertReads(requestHeads(), latin1(`${start}${fields(MAX_FIELDS)}\r\n`), [head(lines)]);
  for (const { fault } of assertFaults(requestHeads(), latin1(start + fields(MAX_FIELDS + 1)))) {
    assertEquals([fault.code, fault.status], ["http_request_error", 431]);
  }
  for (
    const { fault } of assertFaults(responseHeads(), latin1(`HTTP/1.1 200 OK\r\n${fields(MAX_FIELDS + 1)}`))
  ) {
    assertEquals([fault.code, fault.status], ["http_response_header_section_size", 502]);
  }
});

Deno.test("a request head without end is refused with 431 when it is too large, and not before", () => {
  for (const line of ["X: x", "X: x\r\n"]) {
    const endless = `GET ${URI} HTTP/1.1\r\n${line.repeat(1000)}`;
    assertWaits(requestHeads(1000), latin1(endless.slice(0, 1000)));
    for (const { fault } of assertFaults(requestHeads(1000), latin1(endless.slice(0, 1001)))) {
      assertEquals(fault.status, 431);
    }
  }
});

Deno.test("what is too large is refused for that, whatever else is wrong with it", () => {
  for (const end of ["\n", "\r\n", "\r\r\n", " "]) {
    const field = `GET ${URI} HTTP/1.1\r\nX:${"\x01".repeat(1000)}${end}`;
    for (const { fault } of assertFaults(requestHeads(1000), latin1(field))) assertEquals(fault.status, 431);
    for (const { fault } of assertFaults(requestHeads(1000), latin1("(".repeat(1001) + end))) {
      assertEquals(fault.status, 414);
    }
  }
});

Deno.test("a request line longer than the head may be is refused with 414, whether it has ended or not", () => {
  const line = `GET ${URI.padEnd(1000, "x")} HTTP/1.1\r\n`;
  for (const text of [line, line.slice(0, 1001)]) {
    for (const { fault } of assertFaults(requestHeads(1000), latin1(text))) {
      assertEquals([fault.code, fault.status], ["http_request_error", 414]);
    }
  }
  assertWaits(requestHeads(1000), latin1(line.slice(0, 1000)));
});

const OK = { version: "1.1" as const, status: 200, reason: "OK" };

const RESPONSES: [name: string, text: string, expected: object][] = [
  ["a response head is read", "HTTP/1.1 200 OK\r\nX: a\r\n\r\n", { ...OK, fields: [["X", "a"]] }],
  ["a response of HTTP/1.0 is read", "HTTP/1.0 200 OK\r\n\r\n", { ...OK, version: "1.0", fields: [] }],
  ["a later minor version of a response is taken for 1.1", "HTTP/1.2 200 OK\r\n\r\n", {
    ...OK,
    fields: [],
  }],
  ["an empty reason is read", "HTTP/1.1 200 \r\n\r\n", { ...OK, reason: "", fields: [] }],
  ["a status line without its last space is read", "HTTP/1.1 301\r\n\r\n", {
    ...OK,
    status: 301,
    reason: "",
    fields: [],
  }],
  ["a reason is any text", "HTTP/1.1 999  a\t\x80\xFF \r\n\r\n", {
    ...OK,
    status: 999,
    reason: " a\t\x80\xFF ",
    fields: [],
  }],
  ["empty lines before the status line are ignored", "\r\n\n\r\nHTTP/1.1 200 OK\r\n\r\n", {
    ...OK,
    fields: [],
  }],
  ["bare LF ends the lines of a response", "HTTP/1.1 200 OK\nX: a\n\n", { ...OK, fields: [["X", "a"]] }],
  [
    "a line of a response is mended wherever it needs it",
    "HTTP/1.1 200 OK\nA: a \nB: b\t\r\nC :\tc\nD:d\r\nE:\n e \nF: f\r\n\n",
    {
      ...OK,
      fields: [["A", "a"], ["B", "b"], ["C", "c"], ["D", "d"], ["E", "e"], ["F", "f"]],
    },
  ],
  ["white space before the colon is removed in a response", "HTTP/1.1 200 OK\r\nX \t: a\r\n\r\n", {
    ...OK,
    fields: [["X", "a"]],
  }],
  [
    "a folded line becomes a space in a response",
    "HTTP/1.1 200 OK\r\nX: a\r\n \t b\r\n\tc\r\nY: d\r\n\r\n",
    {
      ...OK,
      fields: [["X", "a b c"], ["Y", "d"]],
    },
  ],
  ["Set-Cookie lines stay apart", "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: b\r\nSet-Cookie: c\r\n\r\n", {
    ...OK,
    fields: [["Set-Cookie", "a"], ["X", "b"], ["Set-Cookie", "c"]],
  }],
];

for (const [name, text, expected] of RESPONSES) {
  Deno.test(name, () => assertReads(responseHeads(), latin1(text), [expected as never]));
}

const BAD_RESPONSES: [what: string, text: string][] = [
  ["a bare CR in the status line", "HTTP/1.1 200 OK\r\rX: a\r\n"],
  ["a bare CR before the status line", "\rHTTP/1.1 200 OK\r\n"],
  ["a bare CR in a field value", "HTTP/1.1 200 OK\r\nX: a\rY: b\r\n"],
  ["a bare CR on the empty line", "HTTP/1.1 200 OK\r\n\r\r\n"],
  ["white space before the first field line", "HTTP/1.1 200 OK\r\n X: a\r\n"],
  ["NUL in the reason", "HTTP/1.1 200 \0\r\n"],
  ["DEL in the reason", "HTTP/1.1 200 \x7F\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n"],
  ["a status below 100", "HTTP/1.1 099 OK\r\n"],
  ["a status that is no number", "HTTP/1.1 2x0 OK\r\n"],
  ["a signed status", "HTTP/1.1 +20 OK\r\n"],
  ["no status", "HTTP/1.1\r\n"],
  ["a tab for a space", "HTTP/1.1\t200 OK\r\n"],
  ["two spaces before the status", "HTTP/1.1  200 OK\r\n"],
  ["a space before the status line", " HTTP/1.1 200 OK\r\n"],
  ["a line that is no field", "HTTP/1.1 200 OK\r\nX\r\n"],
  ["a request", "GET / HTTP/1.1\r\n"],
  ["a body without a head", "<html>\r\n"],
  ["HTTP/2.0", "HTTP/2.0 200 OK\r\n"],
  ["HTTP/0.9", "HTTP/0.9 200 OK\r\n"],
  ["a version in lower case", "http/1.1 200 OK\r\n"],
  ["a version of too many digits", "HTTP/01.1 200 OK\r\n"],
  ["a minor version of two digits", "HTTP/1.10 200 OK\r\n"],
  ["another protocol", "ICY 200 OK\r\n"],
  ["NUL in a field value", "HTTP/1.1 200 OK\r\nX: a\0b\r\n"],
];

for (const [what, text] of BAD_RESPONSES) {
  Deno.test(`${what} is the target's fault in a response`, () => {
    for (const { fault } of assertFaults(responseHeads(), latin1(text))) {
      assertEquals([fault.code, fault.status, fault.blame], ["http_protocol_error", 502, "upstream"]);
    }
  });
}

Deno.test("a response head of the most octets allowed is read, one octet more is the target's fault", () => {
  const reason = "x".repeat(1000 - "HTTP/1.1 200 \r\n\r\n".length);
  assertReads(responseHeads(1000), latin1(`HTTP/1.1 200 ${reason}\r\n\r\n`), [{ ...OK, reason, fields: [] }]);
  const endless = [
    "x".repeat(1001),
    "\r\n".repeat(501),
    `HTTP/1.1 200 ${"x".repeat(1000)}`,
    `HTTP/1.1 200 OK\r\nX: ${"x".repeat(1000)}`,
    `HTTP/1.1 200 OK\r\n${"X:\r\n".repeat(250)}`,
    `HTTP/1.1 200 OK\r\nX:\r\n${" \n".repeat(500)}`,
  ];
  for (const text of endless) {
    for (const { fault } of assertFaults(responseHeads(1000), latin1(text))) {
      assertEquals([fault.code, fault.status], ["http_response_header_section_size", 502]);
    }
  }
});

Deno.test("ResponseHeadReader.started tells whether there was a status line", () => {
  const reader = new ResponseHeadReader(1000);
  const buffer = ByteBuffer.of(latin1("\r\nHTTP/1.1 200 OK"));
  assertEquals([reader.read(buffer), reader.started], [undefined, false]);
  buffer.append(latin1("\r\n"));
  assertEquals([reader.read(buffer), reader.started], [undefined, true]);
});

Deno.test("a head of many lines is read as fast as one of few, however slowly it arrives", () => {
  // Folded lines that are put together anew for each of them take 2^36 steps here, and half a minute.
  const lines = 2 ** 18;
  const start = performance.now();
  const limit = lines * 4 + 1000;
  const reader = new ResponseHeadReader(limit);
  const buffer = new ByteBuffer(1024);
  buffer.append(latin1("HTTP/1.1 200 OK\r\nX: a\r\n"));
  const line = latin1(" b\r\n");
  for (let i = 0; i < lines; i++) {
    buffer.append(line);
    assertEquals(reader.read(buffer), undefined);
  }
  buffer.append(latin1("\r\n"));
  const read = reader.read(buffer);
  assert(read);
  assertEquals(read.fields.get("x")?.length, 1 + 2 * lines);
  assert(performance.now() - start < 10_000);
});
