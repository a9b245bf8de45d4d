import { assert, assertEquals } from "@std/assert";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { bodyReader, bodyWriter } from "../../src/protocols/http1/body.ts";
import { chunkExtensionsEnd } from "../../src/protocols/http1/chunk_extensions.ts";
import { Fault } from "../../src/faults.ts";
import { MAX_FIELDS } from "../../src/protocols/http1/section.ts";
import { FORWARDED_MODES, type ForwardedMode } from "../../src/settings/http.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import type { Framing } from "../../src/protocols/http/message.ts";
import { assertFaults, assertReads, assertWaits, transcribe } from "../support/codec.ts";
import { bodies, fromLatin1, latin1, type Lines, linesOf, visible } from "../support/http1.ts";
import { FUZZ_ROUNDS, Random, SEED } from "../support/random.ts";

const CHUNKED: Framing = { kind: "chunked" };
const chunked = bodies(CHUNKED);

Deno.test("a body of no length ends at once and takes nothing", () => {
  for (const framing of [{ kind: "none" }, { kind: "length", length: 0 }] as const) {
    const { events, rest } = transcribe(bodies(framing), [latin1("GET ")]);
    assertEquals(events, [{ content: "", trailers: [] }]);
    assertEquals(fromLatin1(rest), "GET ");
    assertEquals(bodyReader(framing, { maxTrailerSize: 0, mend: false }).endsAtClose, false);
  }
});

Deno.test("a body of a length ends after so many bytes, and what follows stays", () => {
  for (const content of ["x", "abc\r\n\r\n", "\0\xFF".repeat(5000)]) {
    assertReads(bodies({ kind: "length", length: content.length }), latin1(content), [{
      content,
      trailers: [],
    }]);
  }
});

Deno.test("a body short of its length is not at its end, and the close does not make it so", () => {
  assertWaits(bodies({ kind: "length", length: 10 }), latin1("123456789"));
  assertEquals(
    bodyReader({ kind: "length", length: 10 }, { maxTrailerSize: 0, mend: false }).endsAtClose,
    false,
  );
  assertEquals(bodyReader(CHUNKED, { maxTrailerSize: 0, mend: false }).endsAtClose, false);
});

Deno.test("a body that ends at the close takes all there is and has no end before", () => {
  const reader = bodyReader({ kind: "close" }, { maxTrailerSize: 0, mend: false });
  assertEquals(reader.endsAtClose, true);
  const buffer = ByteBuffer.of(latin1("abc"));
  const event = reader.read(buffer);
  assert(event?.type === "data");
  assertEquals([fromLatin1(event.bytes), buffer.length, reader.read(buffer)], ["abc", 0, undefined]);
});

Deno.test("a body's data is handed out as it comes and never empty", () => {
  const reader = bodyReader(CHUNKED, { maxTrailerSize: 100, mend: false });
  const buffer = new ByteBuffer(64);
  const log: string[] = [];
  for (const piece of ["5", "\r\n", "ab", "c", "de\r", "\n2\r\nfg", "\r\n0\r\n", "\r\n"]) {
    buffer.append(latin1(piece));
    for (let event = reader.read(buffer); event; event = reader.read(buffer)) {
      log.push(event.type === "data" ? fromLatin1(event.bytes) : event.type);
      if (event.type === "end") break;
    }
  }
  assertEquals(log, ["ab", "c", "de", "fg", "end"]);
});

const GOOD: [what: string, text: string, content: string, trailers?: Lines][] = [
  ["no data", "0\r\n\r\n", ""],
  ["one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"],
  ["chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"],
  ["sizes in either case", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"],
  ["leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello"],
  ["a size of 16 digits", "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", "hello"],
  ["data that looks like chunks", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n"],
  ["octets of any value", "3\r\n\0\xFF\n\r\n0\r\n\r\n", "\0\xFF\n"],
  ["trailers", "0\r\nX: a\r\nx: b\r\n\r\n", "", [["X", "a"], ["x", "b"]]],
  ["obs-text in a trailer", "0\r\nX: \x80\xA0\r\n\r\n", "", [["X", "\x80\xA0"]]],
];

for (const [what, text, content, trailers = []] of GOOD) {
  Deno.test(`a chunked body with ${what} is read`, () => {
    assertReads(chunked, latin1(text), [{ content, trailers }]);
  });
}

const EXTENSIONS = [
  ";a",
  ";a=b",
  ";a;b=c;d",
  ' ; a = "b"',
  "\t;\ta\t=\tb\t;c",
  ';a="x; y, \xFF\t"',
  ';a="\x80\\\x80\\\xFF"',
  ';a="\\"\\\\\\;"',
  ';a=""',
  ";!#$%&'*+-.^_`|~=09",
  `;a=${"x".repeat(900)}`,
];

for (const extension of EXTENSIONS) {
  Deno.test(`the chunk extension ${visible(extension.slice(0, 30))} is ignored`, () => {
    const text = `2${extension}\r\nab\r\n0${extension}\r\n\r\n`;
    assertReads(chunked, latin1(text), [{ content: "ab", trailers: [] }]);
  });
}

const BAD: [what: string, text: string][] = [
  ["a size line that ends with LF", "5\nhello\r\n0\r\n\r\n"],
  ["data that end with LF", "5\r\nhello\n"],
  ["a last chunk that ends with LF", "0\n\r\n"],
  ["an extension that ends with LF", "0;a\n\r\n"],
  ["a trailer that ends with LF", "0\r\nX: a\n\r\n"],
  ["an end of LF alone", "0\r\n\n"],
  ["a bare CR behind the size", "5\rhello\r\n"],
  ["a bare CR in an extension", "5;a=b\rc\r\n"],
  ["two CRs before the LF", "5\r\r\n"],
  ["a bare CR behind the data", "5\r\nhello\rX"],
  ["a bare CR in a trailer", "0\r\nX: a\rb\r\n"],
  ["no size", "\r\n"],
  ["no size but an extension", ";a=b\r\n"],
  ["a size that is no number", "x\r\n"],
  ["a digit too far", "5g\r\n"],
  ["a plus sign", "+5\r\n"],
  ["a minus sign", "-5\r\n"],
  ["a minus zero", "-0\r\n"],
  ["0x", "0x5\r\n"],
  ["an underscore", "1_0\r\n"],
  ["a decimal point", "5.0\r\n"],
  ["a space before the size", " 5\r\n"],
  ["a space behind the size", "5 \r\n"],
  ["a space behind the last size", "0 \r\n"],
  ["a tab behind the size", "5\t\r\n"],
  ["two numbers", "5 5\r\n"],
  ["a comma", "5,5\r\n"],
  ["an octet that Unicode calls a digit", "\xB25\r\n"],
  ["a no-break space", "5\xA0\r\n"],
  ["NUL", "5\0\r\n"],
  ["data longer than its size", "5\r\nhello!\r\n"],
  ["data shorter than its size", "6\r\nhello\r\n0"],
  ["a size of 17 digits", "00000000000000005\r\n"],
  ["an extension without a name", "5;\r\n"],
  ["an extension without a value", "5;a=\r\n"],
  ["an empty extension before another", "5;;a\r\n"],
  ["an extension without its semicolon", "5 a\r\n"],
  ["white space behind an extension", "5;a \r\n"],
  ["an open quoted string", '5;a="b\r\n'],
  ["text behind a quoted string", '5;a="b"c\r\n'],
  ["a control character in a quoted string", '5;a="\x01"\r\n'],
  ["a value that is no token", "5;a=(\r\n"],
  ["white space before the colon of a trailer", "0\r\nX : a\r\n"],
  ["a folded trailer", "0\r\nX: a\r\n b\r\n"],
  ["NUL in a trailer", "0\r\nX: \0\r\n"],
  ["a trailer without a colon", "0\r\nX\r\n"],
  ["a request where trailers belong", "0\r\nGET / HTTP/1.1\r\n"],
];

for (const [what, text] of BAD) {
  Deno.test(`${what} is refused in a chunked body`, () => {
    for (const { fault } of assertFaults(chunked, latin1(text))) {
      assertEquals([fault.code, fault.status], ["http_request_error", 400]);
    }
  });
}

Deno.test("a chunk is of up to 2^53 - 1 bytes, and larger ones are refused with 413", () => {
  assertWaits(chunked, latin1("1fffffffffffff\r\n"));
  assertWaits(chunked, latin1("001FFFFFFFFFFFFF\r\nabc"));
  for (const size of ["20000000000000", "8000000000000000", "ffffffffffffffff", "fffffffffffffff0"]) {
    for (const { fault } of assertFaults(chunked, latin1(`${size}\r\nabc`))) assertEquals(fault.status, 413);
  }
});

/** RFC 9112 section 7.1.1 with its bad white space. */
const GRAMMAR =
  /^(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t \x21\x23-\x5B\x5D-\x7E\x80-\xFF]|\\[\t \x21-\x7E\x80-\xFF])*"))?)*$/;

Deno.test(`what is right of a chunk's size is taken as its grammar has it, in ${FUZZ_ROUNDS} random cases of seed ${SEED}`, () => {
  const random = new Random(SEED);
  let valid = 0;
  for (let round = 0; round < FUZZ_ROUNDS; round++) {
    const parts = Array.from(
      { length: random.below(8) },
      () => random.pick([...'\t ;;;===""\\ab\x7F\x80\xFF\x01(\r']),
    );
    const text = `;a${parts.join("")}`;
    const isValid = GRAMMAR.test(text);
    if (isValid) valid++;
    assertEquals(chunkExtensionsEnd(latin1(text), 0) === text.length, isValid, visible(text));
    // Where they stand on a line, they end before what ends it.
    if (isValid) assertEquals(chunkExtensionsEnd(latin1(`1${text}\r\n`), 1), text.length + 1, visible(text));
  }
  assert(valid > FUZZ_ROUNDS / 100, `${valid} were valid`);
});

Deno.test("a chunked body is not at its end before the last line end of its trailers", () => {
  const text = "1\r\na\r\n0;b\r\nX: c\r\n\r\n";
  for (let length = 0; length < text.length; length++) assertWaits(chunked, latin1(text.slice(0, length)));
});

Deno.test("a chunk's size line is of up to 1024 bytes, and the extensions of a body are limited by its content", () => {
  const line = `1;${"x".repeat(1024 - 4)}\r\n`;
  assertEquals(line.length, 1024);
  assertReads(chunked, latin1(`${line}a\r\n0\r\n\r\n`), [{ content: "a", trailers: [] }]);
  for (
    const text of [
      line.replace(";", ";x"),
      "1;".padEnd(1025, "x"),
      "0".repeat(1025),
      `${"\x01".repeat(1024)}\n`,
    ]
  ) {
    for (const { fault } of assertFaults(chunked, latin1(text))) {
      assertEquals([fault.status, fault.message], [400, "A chunk's size line is too long"]);
    }
  }
  // The size line is 512 + 18 octets with its CRLF, and a chunk of one octet may spend 18.
  const chunk = `1;${"x".repeat(526)}\r\na\r\n`;
  assertReads(chunked, latin1(`${chunk.repeat(32)}0\r\n\r\n`), [{ content: "a".repeat(32), trailers: [] }]);
  for (const { fault } of assertFaults(chunked, latin1(`${chunk.repeat(33)}0\r\n`))) {
    assertEquals([fault.status, fault.message], [
      400,
      "The chunk extensions are too long for so little content",
    ]);
  }
  // A long stream with something small on each chunk is in order, and so is content that makes up for much.
  const stamped = "4;t=1700000000\r\nabcd\r\n".repeat(3000);
  assertReads(chunked, latin1(`${stamped}0\r\n\r\n`), [{ content: "abcd".repeat(3000), trailers: [] }]);
  const made = `${chunk.repeat(32)}2000\r\n${"b".repeat(8192)}\r\n${chunk.repeat(32)}0\r\n\r\n`;
  const content = `${"a".repeat(32)}${"b".repeat(8192)}${"a".repeat(32)}`;
  assertReads(chunked, latin1(made), [{ content, trailers: [] }]);
});

Deno.test("a trailer section of the most octets allowed is read, one octet more is refused with 431", () => {
  const limited = bodies(CHUNKED, { maxTrailerSize: 100 });
  const trailer = (size: number) => `X: ${"x".repeat(size - "X: \r\n\r\n".length)}`;
  assertReads(limited, latin1(`0\r\n${trailer(100)}\r\n\r\n`), [{
    content: "",
    trailers: [["X", trailer(100).slice(3)]],
  }]);
  for (
    const text of [
      `${trailer(101)}\r\n\r\n`,
      "x".repeat(101),
      "X:\r\n".repeat(26),
      `X:${"\x01".repeat(100)}\n`,
    ]
  ) {
    for (const { fault } of assertFaults(limited, latin1(`0\r\n${text}`))) assertEquals(fault.status, 431);
  }
});

Deno.test("a trailer section has up to 1000 fields, and more are refused with 431", () => {
  const trailers = Array.from({ length: MAX_FIELDS }, (): [string, string] => ["a", ""]);
  assertReads(chunked, latin1(`0\r\n${"a:\r\n".repeat(MAX_FIELDS)}\r\n`), [{ content: "", trailers }]);
  for (const { fault } of assertFaults(chunked, latin1(`0\r\n${"a:\r\n".repeat(MAX_FIELDS + 1)}`))) {
    assertEquals(fault.status, 431);
  }
});

Deno.test("blanks behind a chunk's size are mended in an answer, and refused in a request", () => {
  const text = "5 \t\r\nhello\r\n1;a \r\n!\r\n0  \r\n\r\n";
  assertReads(bodies(CHUNKED, { mend: true }), latin1(text), [{ content: "hello!", trailers: [] }]);
  for (const { fault } of assertFaults(chunked, latin1(text))) assertEquals(fault.status, 400);
});

Deno.test("small chunks that wait are handed out together, and what is wrong behind them is told next", () => {
  const large = "x".repeat(20_000);
  const bodies: [text: string, events: string[]][] = [
    ["1\r\na\r\n2\r\nbc\r\n00003\r\ndef\r\n0\r\n\r\n", ["abc", "def", "end"]],
    ['1\r\na\r\n2;e\r\nbc\r\n1 ; f = "\\"" ;g\r\nd\r\n0;h\r\n\r\n', ["abcd", "end"]],
    ["1\r\na\r\n1;b\r\nb\r\n2;c=\r\ncd\r\n", ["ab", "http_request_error"]],
    ["1\r\na\r\n1;b\r\nb\r\n2;c \r\ncd\r\n", ["ab", "http_request_error"]],
    ["1\r\na\r\n1;b\r\nb\r\n2;c\ncd\r\n", ["ab", "http_request_error"]],
    [`1\r\na\r\n1;${"b".repeat(1020)}\r\nb\r\n1\r\nc\r\n0\r\n\r\n`, ["abc", "end"]],
    [`1\r\na\r\n1;${"b".repeat(1021)}\r\nb\r\n`, ["a", "http_request_error"]],
    ["1\r\na\r\nA\r\n0123456789\r\n4e20\r\n" + large + "\r\n0\r\n\r\n", ["a0123456789", large, "end"]],
    ["1\r\na\r\n2\r\nbc\r\n5\r\nhe", ["abc", "he"]],
    ["1\r\na\r\n1\r\nb\r\nz\r\n", ["ab", "http_request_error"]],
    ["1\r\na\r\n1\r\nbc", ["ab", "http_request_error"]],
  ];
  for (const [text, events] of bodies) {
    const reader = bodyReader(CHUNKED, { maxTrailerSize: 100, mend: false });
    const buffer = ByteBuffer.of(latin1(text));
    const log: string[] = [];
    try {
      for (let event = reader.read(buffer); event; event = reader.read(buffer)) {
        log.push(event.type === "data" ? fromLatin1(event.bytes) : event.type);
        if (event.type === "end") break;
      }
    } catch (error) {
      log.push(error instanceof Fault ? error.code : String(error));
    }
    assertEquals(log, events);
  }
});

Deno.test("after its end a reader of chunks takes nothing more", () => {
  const reader = bodyReader(CHUNKED, { maxTrailerSize: 100, mend: false });
  const buffer = ByteBuffer.of(latin1("0\r\n\r\n5\r\nhello"));
  for (let i = 0; i < 3; i++) assertEquals(reader.read(buffer)?.type, "end");
  assertEquals(fromLatin1(buffer.bytes), "5\r\nhello");
});

function fields(lines: Lines): Fields {
  return new Fields(lines.map(([name, value]) => ({ name, value })));
}

function written(
  framing: Framing,
  pieces: string[],
  trailers: Lines = [],
  { head = [] as Lines, forwarded = "keep" as ForwardedMode } = {},
): string {
  const writer = bodyWriter(framing, { head: fields(head), forwarded });
  const parts = [...pieces.flatMap((piece) => writer.data(latin1(piece))), writer.end(fields(trailers))];
  return parts.map(fromLatin1).join("");
}

Deno.test("bodyWriter() writes content in chunks, with trailers", () => {
  assertEquals(written(CHUNKED, []), "0\r\n\r\n");
  assertEquals(
    written(CHUNKED, ["hello", "x".repeat(26)]),
    `5\r\nhello\r\n1a\r\n${"x".repeat(26)}\r\n0\r\n\r\n`,
  );
  assertEquals(
    written(CHUNKED, ["a"], [["X", "b\x80"], ["Y", ""]]),
    "1\r\na\r\n0\r\nX: b\x80\r\nY: \r\n\r\n",
  );
});

Deno.test("bodyWriter() writes content alone where the head or the close tells its end", () => {
  for (const framing of [{ kind: "length", length: 3 }, { kind: "close" }, { kind: "none" }] as const) {
    assertEquals(written(framing, ["ab", "c"], [["X", "a"]]), "abc");
  }
});

const NOT_IN_TRAILERS = [
  ...["Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length"],
  ...["Content-Range", "Content-Type", "Cookie", "Expect", "Host"],
  ...["Keep-Alive", "Max-Forwards", "Proxy-Authenticate", "Proxy-Authentication-Info"],
  ...["Proxy-Authorization", "Proxy-Connection"],
  ...["Range", "Set-Cookie", "TE", "Trailer", "Transfer-Encoding"],
  ...["Upgrade", "Via", "WWW-Authenticate"],
];

for (const name of NOT_IN_TRAILERS) {
  Deno.test(`${name} is dropped from trailers`, () => {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      assertEquals(
        written(CHUNKED, [], [["X", "a"], [spelling, "b"], ["Y", "c"]]),
        "0\r\nX: a\r\nY: c\r\n\r\n",
      );
    }
  });
}

Deno.test("trailers tell who a request was forwarded for where that is kept as it is, and nowhere else", () => {
  const trailers: Lines = [["Forwarded", "for=192.0.2.1"], ["X", "a"], ["X-FORWARDED-FOR", "192.0.2.1"]];
  for (const forwarded of FORWARDED_MODES) {
    const kept = forwarded === "keep" ? trailers : [["X", "a"]];
    const lines = kept.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    assertEquals(written(CHUNKED, [], trailers, { forwarded }), `0\r\n${lines}\r\n`);
  }
});

Deno.test("Connection takes the trailers that it names away", () => {
  const trailers: Lines = [["X-Foo", "a"], ["Y", "b"], ["x-foo", "c"], ["close", "d"]];
  assertEquals(
    written(CHUNKED, [], trailers, { head: [["Connection", "close, X-FOO"]] }),
    "0\r\nY: b\r\n\r\n",
  );
  assertEquals(written(CHUNKED, [], [["X-Foo", "a"]], { head: [["X", "x-foo"]] }), "0\r\nX-Foo: a\r\n\r\n");
});

Deno.test(`a body that was written is read as the same body (seed ${SEED})`, () => {
  const random = new Random();
  for (let round = 0; round < 300; round++) {
    const pieces = Array.from(
      { length: random.below(6) },
      () => fromLatin1(random.bytes(1 + random.below(300))),
    );
    const trailers: Lines = Array.from(
      { length: random.below(3) },
      (_, i) => [`X-${i}`, "v".repeat(random.below(9))],
    );
    const bytes = latin1(written(CHUNKED, pieces, trailers));
    const seen = transcribe(chunked, random.split(bytes));
    assertEquals(seen.events, [{ content: pieces.join(""), trailers }]);
    assertEquals([seen.fault, seen.rest.length], [undefined, 0]);
  }
});

Deno.test("the trailers of a body are its own", () => {
  const read = () => {
    const event = bodyReader(CHUNKED, { maxTrailerSize: 100, mend: false }).read(
      ByteBuffer.of(latin1("0\r\nX: a\r\n\r\n")),
    );
    assert(event?.type === "end");
    return linesOf(event.trailers);
  };
  assertEquals([read(), read()], [[["X", "a"]], [["X", "a"]]]);
});
