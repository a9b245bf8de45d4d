import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { FAULTS } from "../../src/fault_table.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { assertFaults, assertReads, assertWaits, transcribe } from "../support/codec.ts";
import {
  fromLatin1,
  type HandshakeCodec,
  handshakes,
  latin1,
  type Lines,
  type PlainEvent,
  visible,
} from "../support/http1.ts";
import { readResponses } from "../support/llhttp.ts";
import { settingsWith } from "../support/settings.ts";

const OPEN = handshakes();
const GUARDED = handshakes({ credentialsRequired: true });

const URI = "http://example.com:81/a?b";
const TARGET = { host: "example.com", port: 81 };

function exchange(fields: Lines, { method = "GET", version = "1.1" as "1.0" | "1.1" } = {}): PlainEvent {
  return { kind: "exchange", target: TARGET, head: { method, target: URI, version, fields } };
}

Deno.test("http: absolute-form asks for an exchange", () => {
  assertReads(OPEN, latin1(`GET ${URI} HTTP/1.1\r\nHost: a\r\n\r\n`), [exchange([["Host", "a"]])]);
  assertReads(OPEN, latin1(`\r\nBREW ${URI} HTTP/1.0\r\n\r\n`), [
    exchange([], { method: "BREW", version: "1.0" }),
  ]);
});

Deno.test("http: CONNECT asks for a tunnel", () => {
  const head = "CONNECT [2001:DB8::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n";
  assertReads(OPEN, latin1(head), [{ kind: "tunnel", target: { host: "2001:db8::1", port: 443 } }]);
  assertReads(OPEN, latin1("CONNECT a:1 HTTP/1.0\r\n\r\n"), [{
    kind: "tunnel",
    target: { host: "a", port: 1 },
  }]);
});

Deno.test("http: a head that may go on is waited for", () => {
  for (
    const text of [
      "",
      "\r\n",
      "GET",
      `GET ${URI} HTTP/1.1\r\nHost: a\r\n`,
      "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r",
    ]
  ) {
    assertWaits(OPEN, latin1(text));
    assertWaits(GUARDED, latin1(text));
  }
});

Deno.test("a request that reached its last hop is the proxy's own", () => {
  const own: [start: string, lines: Lines][] = [
    ["OPTIONS *", []],
    ["OPTIONS *", [["Max-Forwards", "7"]]],
    [`OPTIONS ${URI}`, [["Max-Forwards", "0"]]],
    ["OPTIONS http://example.com", [["Max-Forwards", "000"]]],
  ];
  for (const [start, lines] of own) {
    const text = [
      `${start} HTTP/1.1`,
      "Host: a",
      ...lines.map(([name, value]) => `${name}: ${value}`),
      "",
      "",
    ].join("\r\n");
    const [method, target] = start.split(" ");
    const head = { method, target, version: "1.1" as const, fields: [["Host", "a"], ...lines] as Lines };
    assertReads(OPEN, latin1(text), [{ kind: "own", target: undefined, head }]);
  }
  const text = `OPTIONS ${URI} HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n`;
  assertReads(OPEN, latin1(text), [exchange([["Host", "a"], ["Max-Forwards", "1"]], { method: "OPTIONS" })]);
  const get = `GET ${URI} HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n`;
  assertReads(OPEN, latin1(get), [exchange([["Host", "a"], ["Max-Forwards", "0"]])]);
});

const CREDENTIALS: [value: string | undefined, user: string | undefined, password?: string][] = [
  ["Basic YWxpY2U6c2VjcmV0", "alice", "secret"],
  ["bAsIc   YWxpY2U6c2VjcmV0", "alice", "secret"],
  ["Basic YTpiOmM6", "a", "b:c:"],
  ["Basic Og==", "", ""],
  ["Basic Og", "", ""],
  ["Basic w6Q64oKs", "ä", "€"],
  ["Basic YTrvv70=", "a", "\uFFFD"],
  ["Basic 77u/YTpi", "\uFEFFa", "b"],
  [undefined, undefined],
  ["", undefined],
  ["Basic", undefined],
  ["Basic ", undefined],
  ["BasicYTpi", undefined],
  ["Basic\tYTpi", undefined],
  ["Basic YTpi YTpi", undefined],
  ["Basic YTpi, Basic YTpi", undefined],
  ["Basic a:b", undefined],
  ["Basic YWI=", undefined],
  ["Basic YTpi====", undefined],
  ["Basic YT=pi", undefined],
  ["Basic Y", undefined],
  ["Basic 5Dpi", undefined],
  ["Basic YT-_", undefined],
  ['Basic "YTpi"', undefined],
  ["Bearer YTpi", undefined],
  ['Digest username="a"', undefined],
];

for (const [value, user, password = ""] of CREDENTIALS) {
  const what = user === undefined ? "no credentials" : `the user ${visible(user)}`;
  Deno.test(`Proxy-Authorization: ${value ?? "(none)"} gives ${what}, before the request`, () => {
    const lines: Lines = [
      ["Host", "a"],
      ...value === undefined ? [] : [["Proxy-Authorization", value.trim()]] as Lines,
    ];
    const text = lines.map(([name, line]) => `${name}: ${line}\r\n`).join("");
    const credentials = user === undefined ? undefined : { user, password };
    assertReads(GUARDED, latin1(`GET ${URI} HTTP/1.1\r\n${text}\r\n`), [{ credentials }, exchange(lines)]);
    assertReads(GUARDED, latin1(`CONNECT a:1 HTTP/1.1\r\n${text}\r\n`), [
      { credentials },
      { kind: "tunnel", target: { host: "a", port: 1 } },
    ]);
    // Nobody asked.
    assertReads(OPEN, latin1(`GET ${URI} HTTP/1.1\r\n${text}\r\n`), [exchange(lines)]);
  });
}

Deno.test("a request is not handed out before its credentials were accepted", () => {
  const { handshake } = GUARDED.make();
  const buffer = ByteBuffer.of(
    latin1(`GET ${URI} HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic YTpi\r\n\r\n`),
  );
  for (let i = 0; i < 3; i++) assertEquals(handshake.read(buffer)?.type, "credentials");
  handshake.accepted();
  assertEquals(handshake.read(buffer)?.type, "request");
});

Deno.test("credentials for the origin are not for the proxy", () => {
  const text = `GET ${URI} HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\n\r\n`;
  const [event] = transcribe(GUARDED, [latin1(text)]).events;
  assertEquals(event, { credentials: undefined });
});

const REFUSED: [what: string, text: string, status: number][] = [
  ["what is not HTTP", "HELO example.com\r\n", 400],
  ["white space before a colon", `GET ${URI} HTTP/1.1\r\nHost : a\r\n`, 400],
  ["HTTP/2.0", "PRI * HTTP/2.0\r\n\r\n", 505],
  ["an over-long method", `${"X".repeat(33)} ${URI} HTTP/1.1\r\n`, 501],
  ["a missing Host", `GET ${URI} HTTP/1.1\r\n\r\n`, 400],
  ["origin-form", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  [
    "an unknown coding",
    `POST ${URI} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n`,
    501,
  ],
  [
    "two framings",
    `POST ${URI} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
    400,
  ],
  [
    "a length too large",
    `POST ${URI} HTTP/1.1\r\nHost: a\r\nContent-Length: 9007199254740992\r\n\r\n`,
    413,
  ],
  ["TRACE", `TRACE ${URI} HTTP/1.1\r\nHost: a\r\n\r\n`, 405],
  ["an unknown expectation", `GET ${URI} HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n`, 417],
  ["CONNECT without a port", "CONNECT example.com HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["CONNECT to port 0", "CONNECT example.com:0 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["CONNECT with a body", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 400],
];

for (const [what, text, status] of REFUSED) {
  Deno.test(`${what} is refused with ${status} and the connection ends, before credentials are asked for`, () => {
    for (const subject of [OPEN, GUARDED]) {
      for (const { codec, fault } of assertFaults(subject, latin1(text))) {
        assertEquals([fault.code, fault.status], ["http_request_error", status]);
        const { bytes, retryable } = codec.handshake.refused(fault);
        const { messages, refused } = readResponses(bytes);
        assertEquals([refused, messages.length, messages[0].status], [undefined, 1, status]);
        assertEquals([retryable, messages[0].persistent], [false, false]);
      }
    }
  });
}

Deno.test("a request that has been here before is refused with 502", () => {
  const text = `GET ${URI} HTTP/1.1\r\nHost: a\r\nVia: 1.1 other, 1.1 test\r\n\r\n`;
  for (const { codec, fault } of assertFaults(OPEN, latin1(text))) {
    assertEquals([fault.code, fault.status], ["proxy_loop_detected", 502]);
    assertEquals(codec.handshake.refused(fault).retryable, false);
  }
});

Deno.test("a head larger than allowed is refused with 431, a target longer than that with 414", () => {
  const small = handshakes({ settings: settingsWith({ limits: { headerSize: 100 } }) });
  const texts: [string, number][] = [
    [`GET ${URI} HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100)}`, 431],
    [`GET ${URI}${"x".repeat(100)}`, 414],
  ];
  for (const [text, status] of texts) {
    for (const { fault } of assertFaults(small, latin1(text))) assertEquals(fault.status, status);
  }
});

/** A handshake that has read its request, and what may stand behind it. */
function after(text: string, { guarded = true, trailing = "" } = {}): HandshakeCodec {
  const { codec, fault, events } = transcribe(guarded ? GUARDED : OPEN, [latin1(text + trailing)]);
  assertEquals([fault, events.length], [undefined, guarded ? 2 : 1]);
  return codec;
}

function refuse(codec: HandshakeCodec, code: FaultCode) {
  const { bytes, retryable } = codec.handshake.refused(new Fault(code));
  const { messages: [message], refused } = readResponses(bytes);
  assertEquals([refused, message.status, message.persistent], [undefined, FAULTS[code].status, retryable]);
  return { bytes, retryable, message };
}

const GET = `GET ${URI} HTTP/1.1\r\nHost: a\r\n`;
const CONNECT = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n";

Deno.test("after 407 a request without a body may be tried again on the same connection", () => {
  for (const text of [GET, `${GET}Content-Type: a\r\n`, CONNECT, GET.replace("GET", "POST")]) {
    assertEquals(refuse(after(`${text}\r\n`), "proxy_authentication_required").retryable, true, text);
  }
});

Deno.test("after a refusal the connection ends where the request has a body, which was not read", () => {
  for (const line of ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 0"]) {
    const codec = after(`${GET}${line}\r\n\r\n`);
    for (const code of ["proxy_authentication_required", "http_request_denied", "dns_error"] as const) {
      assertEquals(refuse(codec, code).retryable, false);
    }
  }
});

Deno.test("after a refusal the connection ends where the client said close", () => {
  for (const text of [GET, CONNECT]) {
    assertEquals(
      refuse(after(`${text}Connection: close\r\n\r\n`), "proxy_authentication_required").retryable,
      false,
    );
  }
});

Deno.test("after a refusal the connection of an HTTP/1.0 client ends", () => {
  for (const text of [GET, CONNECT]) {
    const old = `${text.replace("1.1", "1.0")}Connection: keep-alive\r\n\r\n`;
    assertEquals(refuse(after(old), "proxy_authentication_required").retryable, false);
  }
});

Deno.test("a request whose target fails leaves the connection to the next, one that is at fault does not", () => {
  const retryable: FaultCode[] = [
    "connection_refused",
    "dns_error",
    "connection_timeout",
    "http_request_denied",
  ];
  const final: FaultCode[] = [
    ...[
      "http_request_error",
      "proxy_internal_error",
      "proxy_shutdown",
      "client_timeout",
      "http_response_timeout",
    ],
    ...["connection_limit_reached", "proxy_loop_detected"],
  ] as FaultCode[];
  for (const code of retryable) assertEquals(refuse(after(`${GET}\r\n`), code).retryable, true, code);
  for (const code of final) assertEquals(refuse(after(`${GET}\r\n`), code).retryable, false, code);
});

Deno.test("after a failed CONNECT the connection ends, whatever may follow is not parsed", () => {
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    if (code === "proxy_authentication_required") continue;
    assertEquals(refuse(after(`${CONNECT}\r\n`), code).retryable, false, code);
  }
});

Deno.test("after 407 to CONNECT the connection ends where bytes for the tunnel have come already", () => {
  assertEquals(
    refuse(after(`${CONNECT}\r\n`, { trailing: "\x16" }), "proxy_authentication_required").retryable,
    false,
  );
  // Behind a request that is no CONNECT comes the next one.
  assertEquals(
    refuse(after(`${GET}\r\n`, { trailing: "G" }), "proxy_authentication_required").retryable,
    true,
  );
});

Deno.test("the tunnel stands with a 2xx that has neither length nor coding", () => {
  const codec = after(`${CONNECT}\r\n`);
  assertEquals(fromLatin1(codec.handshake.accepted()), "");
  assertEquals(fromLatin1(codec.handshake.established()), "HTTP/1.1 200 Connection established\r\n\r\n");
});

Deno.test("a refused HEAD gets the head of its answer alone, also when its fields are at fault", () => {
  const { bytes } = after(`${GET.replace("GET", "HEAD")}\r\n`).handshake.refused(new Fault("dns_error"));
  assert(fromLatin1(bytes).endsWith("\r\n\r\n"));
  for (const { codec, fault } of assertFaults(OPEN, latin1(`HEAD ${URI} HTTP/1.1\r\n:\r\n`))) {
    assert(fromLatin1(codec.handshake.refused(fault).bytes).endsWith("\r\n\r\n"));
  }
});

const ACCEPTS: [accept: string, html: boolean][] = [
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
  ["TEXT/HTML", true],
  ["application/xml, text/html;q=0.9", true],
  ["*/*", false],
  ["text/plain", false],
  ["", false],
  ["application/json", false],
  ["x-text/html", false],
];

for (const [accept, html] of ACCEPTS) {
  Deno.test(`a client that accepts ${accept || "nothing"} is told in ${html ? "HTML" : "plain text"}`, () => {
    const { message } = refuse(after(`${GET}Accept: ${accept}\r\n\r\n`), "dns_error");
    const type = message.fields.find(([name]) => name === "Content-Type")?.[1];
    assertEquals(type, `text/${html ? "html" : "plain"}; charset=utf-8`);
  });
}

Deno.test("nothing of a request is reflected in its refusal but the host, on a page", () => {
  const mark = "xyzzy";
  const text = `GET http://host.example/${mark}?${mark} HTTP/1.1\r\nHost: ${mark}\r\nX-${mark}: ${mark}\r\n` +
    `Cookie: ${mark}\r\nProxy-Authorization: Basic ${
      btoa(`${mark}:${mark}`)
    }\r\nAccept: text/html, ${mark}\r\n`;
  for (const code of Object.keys(FAULTS) as FaultCode[]) {
    const reply = fromLatin1(refuse(after(`${text}\r\n`), code).bytes);
    assertStringIncludes(reply, '<p class="host">host.example</p>');
    assert(!reply.toLowerCase().includes(mark) && !reply.includes(btoa(mark).slice(0, 5)), reply);
  }
  const faulty = [
    `${mark} ${mark} ${mark}\r\n`,
    `(${mark}\r\n`,
    `${text}Content-Length: ${mark}\r\n\r\n`,
    `${text}${mark}\r\n`,
  ];
  for (const bytes of [...faulty, `${text}Transfer-Encoding: ${mark}, chunked\r\n\r\n`]) {
    for (const { codec, fault } of assertFaults(OPEN, latin1(bytes))) {
      assert(!fromLatin1(codec.handshake.refused(fault).bytes).includes(mark));
    }
  }
});

Deno.test("before its first line a client is told in plain text, and the connection ends", () => {
  const { codec } = transcribe(OPEN, [latin1("GET")]);
  const { retryable, message } = refuse(codec, "client_timeout");
  assertEquals([retryable, message.status, message.body.startsWith("<")], [false, 408, false]);
});
