import { assertEquals } from "@std/assert";
import { faultOf, request, visible } from "../support/http1.ts";

const URI = "http://example.com/";

/** A request with these lines; Host is added. */
function withLines(lines: string[], { method = "GET", target = URI, version = "1.1" } = {}) {
  return request(`${method} ${target} HTTP/${version}\r\n${["Host: a", ...lines].join("\r\n")}\r\n\r\n`);
}

/** The status with which a request is refused. */
function refusal(head: string): number {
  const fault = faultOf(() => request(head));
  assertEquals(fault.code, "http_request_error");
  return fault.status;
}

const BAD_HOSTS: [what: string, lines: string][] = [
  ["no Host", ""],
  ["two Host lines", "Host: example.com\r\nHost: evil.example\r\n"],
  ["the same Host twice", "Host: example.com\r\nX: a\r\nhost: example.com\r\n"],
  ["an empty Host and another", "Host:\r\nHost: example.com\r\n"],
  ["a list", "Host: example.com, evil.example\r\n"],
  ["user information", "Host: user@example.com\r\n"],
  ["a URI", "Host: http://example.com/\r\n"],
  ["a path", "Host: example.com/a\r\n"],
  ["a space", "Host: example.com evil.example\r\n"],
  ["port 0", "Host: example.com:0\r\n"],
  ["a port too large", "Host: example.com:65536\r\n"],
  ["a port that is no number", "Host: example.com:http\r\n"],
  ["two ports", "Host: example.com:80:80\r\n"],
  ["an open bracket", "Host: [::1\r\n"],
  ["an IPv6 address without brackets", "Host: ::1\r\n"],
  ["a percent sign", "Host: %65xample.com\r\n"],
  ["obs-text", "Host: ex\xE4mple.com\r\n"],
];

for (const [what, lines] of BAD_HOSTS) {
  Deno.test(`${what} is refused in an HTTP/1.1 request, whatever its target`, () => {
    const targets = [`GET ${URI}`, "CONNECT example.com:443", "OPTIONS *", "GET /"];
    for (const start of targets) assertEquals(refusal(`${start} HTTP/1.1\r\n${lines}\r\n`), 400);
  });
}

Deno.test("in HTTP/1.0 Host may be missing, and must be valid where it is given", () => {
  assertEquals(request(`GET ${URI} HTTP/1.0\r\n\r\n`).target.form, "absolute");
  assertEquals(refusal(`GET ${URI} HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n`), 400);
  assertEquals(refusal(`GET ${URI} HTTP/1.0\r\nHost: a b\r\n\r\n`), 400);
});

Deno.test("a valid Host that the target does not name is no error, nor is an empty one", () => {
  for (const host of ["other.example:81", "", "[::1]", "other.example:", "OTHER.example."]) {
    const { target } = request(`GET ${URI} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertEquals(target.form === "absolute" && target.authority, "example.com");
  }
});

Deno.test("origin-form is for the proxy's own pages, by GET and HEAD; all else is refused: a proxy is not the server", () => {
  for (const target of ["/", "/a", "//example.com/"]) {
    for (const method of ["GET", "HEAD"]) {
      const read = request(`${method} ${target} HTTP/1.1\r\nHost: example.com\r\n\r\n`);
      assertEquals(read.target, { form: "origin", path: target });
    }
    assertEquals(refusal(`GET ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n`), 400);
    assertEquals(refusal(`POST ${target} HTTP/1.1\r\nHost: example.com\r\n\r\n`), 400);
    assertEquals(refusal(`OPTIONS ${target} HTTP/1.1\r\nHost: example.com\r\n\r\n`), 400);
  }
});

Deno.test("TRACE is refused with 405, whatever it is for", () => {
  for (const target of [URI, "/"]) {
    for (const lines of ["", "Max-Forwards: 0\r\n", "Max-Forwards: 5\r\n"]) {
      assertEquals(refusal(`TRACE ${target} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`), 405);
    }
  }
});

Deno.test("an unknown method is understood, and known ones are told by their case", () => {
  for (const method of ["BREW", "get", "Trace", "connect", "QUERY", "PROPFIND", "!"]) {
    const { head, target } = withLines([], { method });
    assertEquals([head.method, target.form], [method, "absolute"]);
  }
});

Deno.test("Max-Forwards counts for OPTIONS alone", () => {
  for (const target of [URI, "*", "http://example.com"]) {
    for (const [value, count] of [["0", 0], ["1", 1], ["0007", 7], ["999999999", 999999999]] as const) {
      assertEquals(withLines([`Max-Forwards: ${value}`], { method: "OPTIONS", target }).maxForwards, count);
    }
  }
  assertEquals(withLines([], { method: "OPTIONS" }).maxForwards, undefined);
  for (const value of ["0", "1", "x"]) {
    assertEquals(withLines([`Max-Forwards: ${value}`]).maxForwards, undefined);
  }
});

Deno.test("a Max-Forwards that is no number is refused in OPTIONS", () => {
  for (const value of ["", "-1", "+1", "1.0", "x", "1 1", "1, 1", "0x1", "9999999999"]) {
    assertEquals(refusal(`OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`), 400);
  }
});

Deno.test("100-continue is understood, and any other expectation refused with 417", () => {
  for (
    const value of [
      "",
      ",",
      "100-continue",
      "100-Continue",
      " 100-CONTINUE ",
      "100-continue,",
      "100-continue, 100-continue",
    ]
  ) {
    assertEquals(withLines([`Expect: ${value}`, "Content-Length: 5"]).framing, { kind: "length", length: 5 });
  }
  for (
    const value of [
      "101-continue",
      "100-continue, x",
      "100-continue;a",
      '"100-continue"',
      "100-continue\xA0",
    ]
  ) {
    assertEquals(refusal(`GET ${URI} HTTP/1.1\r\nHost: a\r\nExpect: ${value}\r\n\r\n`), 417, visible(value));
  }
});

Deno.test("an expectation in HTTP/1.0 is ignored", () => {
  for (const value of ["100-continue", "x"]) withLines([`Expect: ${value}`], { version: "1.0" });
});

Deno.test("a request is persistent unless it says close", () => {
  const lines: [string[], boolean][] = [
    [[], true],
    [["Connection: keep-alive"], true],
    [["Connection: closed", "Connection: x-close"], true],
    [["Connection: close"], false],
    [["connection: CLOSE"], false],
    [["Connection: x, close"], false],
    [["Connection: ,close,"], false],
    [["Connection: x", "Connection:\tClose\t"], false],
    [["Connection: keep-alive, close"], false],
    [["Connection: close\xA0"], true],
  ];
  for (const [given, persistent] of lines) {
    assertEquals(withLines(given).persistent, persistent, given.join());
  }
});

Deno.test("no request of HTTP/1.0 is persistent", () => {
  for (const line of ["X: a", "Connection: keep-alive", "Proxy-Connection: keep-alive"]) {
    assertEquals(withLines([line], { version: "1.0" }).persistent, false);
  }
});

const UPGRADES: [what: string, lines: string[], upgrade: string | undefined][] = [
  ["Upgrade and its option", ["Connection: upgrade", "Upgrade: websocket"], "websocket"],
  ["another case", ["CONNECTION: Keep-Alive, Upgrade", "UPGRADE: WebSocket"], "WebSocket"],
  [
    "several protocols",
    ["Connection: upgrade", "Upgrade: websocket, IRC/6.9", "Upgrade: x"],
    "websocket, IRC/6.9, x",
  ],
  ["empty list elements", ["Connection: upgrade", "Upgrade: , a,, b,"], "a, b"],
  ["Upgrade without its option", ["Upgrade: websocket"], undefined],
  ["Upgrade with another option", ["Connection: close", "Upgrade: websocket"], undefined],
  ["the option without Upgrade", ["Connection: upgrade"], undefined],
  ["an empty Upgrade", ["Connection: upgrade", "Upgrade:"], undefined],
  [
    "h2c",
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    undefined,
  ],
  ["H2C", ["Connection: upgrade", "Upgrade: H2C"], undefined],
  ["h2", ["Connection: upgrade", "Upgrade: h2"], undefined],
  ["HTTP/2.0", ["Connection: upgrade", "Upgrade: HTTP/2.0"], undefined],
  ["h2c beside another", ["Connection: upgrade", "Upgrade: h2c, websocket", "Upgrade: HTTP/3"], "websocket"],
  ["h2c behind white space of Unicode", ["Connection: upgrade", "Upgrade: \xA0h2c, a"], "a"],
  ["h2c behind another word", ["Connection: upgrade", "Upgrade: a h2c, b/h2c"], "b/h2c"],
  ["what is no protocol", ["Connection: upgrade", 'Upgrade: "a", b;c, /d, e/, (f)'], undefined],
];

for (const [what, lines, upgrade] of UPGRADES) {
  Deno.test(`${what} asks for ${upgrade ?? "no upgrade"}`, () => {
    assertEquals(withLines(lines).upgrade, upgrade);
    assertEquals(withLines(lines, { version: "1.0" }).upgrade, undefined);
  });
}

Deno.test("CONNECT has no body", () => {
  for (const line of ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: x"]) {
    assertEquals(refusal(`CONNECT a:443 HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`), 400);
  }
  assertEquals(
    withLines(["Content-Length: 0"], { method: "CONNECT", target: "a:443" }).target.form,
    "authority",
  );
});

Deno.test("a request whose body has no certain end is refused, whatever its method", () => {
  for (const method of ["GET", "HEAD", "POST", "OPTIONS", "X"]) {
    for (
      const lines of [
        "Content-Length: x",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: x",
      ]
    ) {
      assertEquals(refusal(`${method} ${URI} HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`), 400);
    }
  }
});
