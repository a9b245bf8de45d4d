import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { Fields } from "../../src/protocols/http/fields.ts";
import { SectionReader } from "../../src/protocols/http1/section.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { faultOf, latin1, type Lines, linesOf, visible } from "../support/http1.ts";

function fields(lines: Lines): Fields {
  return new Fields(lines.map(([name, value]) => ({ name, value })));
}

const SOME = fields([["X-B", "1"], ["Set-Cookie", "a=1"], ["x-b", "2, Three,"], ["Set-Cookie", "b=2"], [
  "X-Empty",
  "",
]]);

Deno.test("field lines keep their order and are never merged", () => {
  assertEquals(
    SOME.toString(),
    "X-B: 1\r\nSet-Cookie: a=1\r\nx-b: 2, Three,\r\nSet-Cookie: b=2\r\nX-Empty: \r\n",
  );
  assertEquals(linesOf(SOME), [
    ["X-B", "1"],
    ["Set-Cookie", "a=1"],
    ["x-b", "2, Three,"],
    ["Set-Cookie", "b=2"],
    ["X-Empty", ""],
  ]);
});

Deno.test("Fields finds lines whatever the case of their names", () => {
  assertEquals(SOME.length, 5);
  assertEquals([SOME.has("x-b"), SOME.has("x-empty"), SOME.has("x-c")], [true, true, false]);
  assertEquals([SOME.get("x-b"), SOME.get("x-empty"), SOME.get("x-c")], ["1", "", undefined]);
  assertEquals([SOME.all("set-cookie"), SOME.all("x-c")], [["a=1", "b=2"], []]);
  assertEquals([SOME.tokens("x-b"), SOME.tokens("x-empty"), SOME.tokens("x-c")], [
    ["1", "2", "three"],
    [],
    [],
  ]);
});

Deno.test("Fields.listWith() puts an element behind the values of all lines, the empty ones aside", () => {
  const lists = ["x-b", "x-empty", "x-c"].map((key) => SOME.listWith(key, "new"));
  assertEquals(lists, ["1, 2, Three,, new", "new", "new"]);
});

Deno.test("Fields.filter() leaves the section as it was", () => {
  const kept = SOME.filter((key) => key.startsWith("x-"));
  assertEquals(linesOf(kept), [["X-B", "1"], ["x-b", "2, Three,"], ["X-Empty", ""]]);
  assertEquals([kept.has("set-cookie"), kept.all("x-b")], [false, ["1", "2, Three,"]]);
  kept.append("X-New", "3");
  assertEquals([SOME.has("x-new"), SOME.length], [false, 5]);
});

function read(line: string, { mend = false, after = [] as Lines } = {}): Lines {
  const rules = {
    mend,
    tooLarge: () => new Fault("http_request_error"),
    tooMany: () => new Fault("http_request_error"),
  };
  const buffer = ByteBuffer.of(latin1(`${fields(after)}${line}\r\n\r\n`));
  const section = new SectionReader(1000, rules).read(buffer);
  assert(section, "The section is not complete");
  assertEquals(buffer.length, 0, "The section has ended early");
  return linesOf(section);
}

const GOOD: [line: string, name: string, value: string][] = [
  ["X-Foo: bar", "X-Foo", "bar"],
  ["x-FOO:bar", "x-FOO", "bar"],
  ["X: \t bar baz\t ", "X", "bar baz"],
  ["X:a\tb", "X", "a\tb"],
  ["X:", "X", ""],
  ["X: \t", "X", ""],
  ["X::", "X", ":"],
  ["X: a: b", "X", "a: b"],
  ["!#$%&'*+-.^_`|~09aZ: x", "!#$%&'*+-.^_`|~09aZ", "x"],
  ['X: "a, b" (c)', "X", '"a, b" (c)'],
];

for (const [line, name, value] of GOOD) {
  Deno.test(`the field line ${visible(line)} is read in a request and in a response`, () => {
    assertEquals(read(line), [[name, value]]);
    assertEquals(read(line, { mend: true }), [[name, value]]);
  });
}

Deno.test("the octets 0x80 to 0xFF of a field value stay as they are, at its ends too", () => {
  for (let octet = 0x80; octet < 0x100; octet++) {
    const char = String.fromCharCode(octet);
    for (const value of [char, `${char}a${char}`, `a${char}${char}b`]) {
      for (const mend of [false, true]) assertEquals(read(`X: ${value} `, { mend }), [["X", value]]);
    }
  }
});

Deno.test("a control character in a field value is refused, in a request and in a response", () => {
  const controls = Array.from({ length: 0x20 }, (_, octet) => octet).filter((octet) =>
    octet !== 0x09 && octet !== 0x0A
  );
  for (const octet of [...controls, 0x7F]) {
    const char = String.fromCharCode(octet);
    for (const line of [`X: a${char}b`, `X:${char}`, `X: a${char}`, `X: ${char}a`]) {
      for (const mend of [false, true]) {
        assertEquals(faultOf(() => read(line, { mend })).status, 400, visible(line));
      }
    }
  }
});

Deno.test("the log is told which control character it was", () => {
  assertEquals(faultOf(() => read("X: \0")).message, "A field value has the control character 0x00");
  assertEquals(faultOf(() => read("X: \x7F")).message, "A field value has the control character 0x7f");
});

Deno.test("white space before the colon is refused in a request", () => {
  for (const line of ["X : a", "X\t: a", "X \t : a", "Content-Length : 3", "Transfer-Encoding\t:chunked"]) {
    assertEquals(faultOf(() => read(line)).status, 400, visible(line));
  }
});

Deno.test("white space before the colon is removed in a response", () => {
  for (const line of ["X : a", "X\t: a", "X \t :a"]) assertEquals(read(line, { mend: true }), [["X", "a"]]);
});

Deno.test("a folded line is refused in a request", () => {
  for (const line of [" a", "\ta", " ", " X: a"]) {
    assertEquals(faultOf(() => read(line, { after: [["X", "a"]] })).status, 400, visible(line));
  }
});

const FOLDS: [value: string, line: string, joined: string][] = [
  ["a", " b", "a b"],
  ["a", "\t \tb\t ", "a b"],
  ["a", " ", "a"],
  ["", " b", "b"],
  ["", "\t", ""],
  ["a", " X: b", "a X: b"],
  ["\xA0a", " b\xA0", "\xA0a b\xA0"],
  ["a", " \xA0", "a \xA0"],
];

for (const [value, line, joined] of FOLDS) {
  Deno.test(`${visible(value)} folded with ${visible(line)} is ${visible(joined)} in a response`, () => {
    assertEquals(read(line, { mend: true, after: [["Y", "z"], ["X", value]] }), [["Y", "z"], ["X", joined]]);
  });
}

Deno.test("a control character in a folded line is refused", () => {
  for (const line of [" a\rb", " \0", "\ta\x7F"]) {
    assertEquals(faultOf(() => read(line, { mend: true, after: [["X", "a"]] })).status, 400, visible(line));
  }
});

Deno.test("white space before the first field line is refused, in a request and in a response", () => {
  for (const line of [" X: a", "\tX: a", " "]) {
    for (const mend of [false, true]) {
      assertEquals(faultOf(() => read(line, { mend })).status, 400, visible(line));
    }
  }
});

Deno.test("a field name with an octet that is not of a token is refused", () => {
  for (let octet = 0; octet < 256; octet++) {
    const char = String.fromCharCode(octet);
    // A colon ends the name, and LF the line.
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z:\n]/.test(char)) continue;
    for (const name of [`X${char}Y`, `${char}X`, `X${char}`]) {
      assertEquals(faultOf(() => read(`${name}: a`)).status, 400, visible(name));
      // What may be mended is behind the name or, on a line that continues another, in front of it.
      if (char === " " || char === "\t") continue;
      assertEquals(faultOf(() => read(`${name}: a`, { mend: true })).status, 400, visible(name));
    }
  }
});

Deno.test("a field line without a name or a colon is refused", () => {
  for (const line of ["X", ":", ": a", "X a", "GET / HTTP/1.1"]) {
    for (const mend of [false, true]) {
      assertEquals(faultOf(() => read(line, { mend })).status, 400, visible(line));
    }
  }
  assertEquals(faultOf(() => read(" : a", { mend: true })).status, 400);
});
