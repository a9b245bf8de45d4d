import { assertEquals, assertThrows } from "@std/assert";
import { readAnswer, writeQuery } from "../../adapters/dns_message.ts";

const QUERY = writeQuery("a_b.-c", { id: 0x1234, family: 4 });

/** Where the question's name begins, as a pointer to it. */
const NAME = [0xC0, 12];

/** An answer to {@linkcode QUERY}: its header, the question, and records. */
function answer(records: readonly number[][], { flags = 0x8180, count = records.length } = {}): Uint8Array {
  const message = Uint8Array.from([...QUERY, ...records.flat()]);
  message.set([flags >> 8, flags & 0xFF, 0, 1, count >> 8, count & 0xFF], 2);
  return message;
}

function record(name: readonly number[], type: number, data: readonly number[], ttl = 60): number[] {
  return [...name, 0, type, 0, 1, ...uint32(ttl), data.length >> 8, data.length & 0xFF, ...data];
}

function uint32(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => value >>> shift & 0xFF);
}

/** Octets of a name without the last. */
function labels(...names: string[]): number[] {
  return names.flatMap((name) => [name.length, ...new TextEncoder().encode(name)]);
}

const [A, CNAME, AAAA] = [1, 5, 28];
const ONE = { address: "192.0.2.1", ttl: 60 };

function addresses(message: Uint8Array) {
  return readAnswer(message, QUERY)?.addresses;
}

function assertMalformed(message: Uint8Array, why: string): void {
  const error = assertThrows(() => readAnswer(message, QUERY), Error, why) as Error & { code?: string };
  assertEquals(error.code, "EBADRESP");
}

Deno.test("writeQuery() writes one question, with any octets of ASCII in the name", () => {
  assertEquals([...QUERY], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels("a_b", "-c"), 0, 0, A, 0, 1]);
  assertEquals([...writeQuery("x.", { id: 1, family: 6 }).subarray(12)], [1, 0x78, 0, 0, AAAA, 0, 1]);
  const longest = [63, 63, 63, 61].map((length) => "x".repeat(length)).join(".");
  assertEquals(writeQuery(longest, { id: 1, family: 4 }).length, 12 + 255 + 4);
  for (const host of ["", ".", "a..b", ".a", "a..", "x".repeat(64), `${longest}x`, "ü.test"]) {
    const error = assertThrows(() => writeQuery(host, { id: 1, family: 4 }), Error) as Error & {
      code?: string;
    };
    assertEquals(error.code, "EBADNAME", host);
  }
});

Deno.test("readAnswer() reads addresses of the family in question, behind aliases too", () => {
  assertEquals(addresses(answer([record(NAME, A, [192, 0, 2, 1])])), [ONE]);
  assertEquals(addresses(answer([])), []);
  assertEquals(addresses(answer([record(NAME, AAAA, Array(16).fill(0))])), []);
  assertEquals(addresses(answer([record([...labels("A_B", "-C"), 0], A, [192, 0, 2, 1])])), [ONE], "case");
  assertEquals(addresses(answer([record([...labels("other"), 0], A, [192, 0, 2, 1])])), [], "another name");
  assertEquals(
    addresses(answer([record([...labels("a_b.-c"), 0], A, [192, 0, 2, 1])])),
    [],
    "a dot in a label",
  );
  const there = [...labels("there"), ...NAME];
  const alias = record(NAME, CNAME, there, 7);
  assertEquals(addresses(answer([record(there, A, [192, 0, 2, 1]), alias])), [{ ...ONE, ttl: 7 }]);
  assertEquals(addresses(answer([alias])), [], "the alias has no address here");
  assertEquals(addresses(answer([record(NAME, A, [192, 0, 2, 1], 2 ** 31)])), [{ ...ONE, ttl: 0 }]);
  const six = writeQuery("a", { id: 0, family: 6 });
  const message = Uint8Array.from([
    ...six,
    ...record(NAME, AAAA, [0x20, 1, 0x0D, 0xB8, ...Array(11).fill(0), 1]),
  ]);
  message.set([0x81, 0x80, 0, 1, 0, 1], 2);
  assertEquals(readAnswer(message, six)?.addresses, [{ address: "2001:db8::1", ttl: 60 }]);
});

Deno.test("readAnswer() leaves messages alone that do not answer the question", () => {
  const good = answer([record(NAME, A, [192, 0, 2, 1])]);
  // The id, QR, the opcode, the number of questions, the name, its type and its class.
  for (const [at, bit] of [[0, 1], [1, 1], [2, 0x80], [2, 8], [4, 1], [5, 2], [13, 1], [21, 2], [23, 2]]) {
    const message = Uint8Array.from(good);
    message[at] ^= bit;
    assertEquals(readAnswer(message, QUERY), undefined, `octet ${at}`);
  }
});

Deno.test("readAnswer() tells the response code, and that the answer did not fit", () => {
  const records = [record(NAME, A, [192, 0, 2, 1])];
  assertEquals(readAnswer(answer(records, { flags: 0x8183 }), QUERY), {
    rcode: 3,
    truncated: false,
    addresses: [],
  });
  assertEquals(readAnswer(answer(records, { flags: 0x8380 }), QUERY), {
    rcode: 0,
    truncated: true,
    addresses: [],
  });
});

Deno.test("readAnswer(): an answer that ends after any octet is malformed, or no answer", () => {
  const there = [...labels("there"), ...NAME];
  const whole = answer([record(NAME, CNAME, there), record(there, A, [192, 0, 2, 1])]);
  assertEquals(addresses(whole), [ONE]);
  for (let length = 0; length < whole.length; length++) {
    const message = whole.subarray(0, length);
    if (length < QUERY.length) assertEquals(readAnswer(message, QUERY), undefined);
    else assertMalformed(message, "");
  }
});

Deno.test("readAnswer() refuses wrong counts, lengths and names that lead in a circle", () => {
  const good = record(NAME, A, [192, 0, 2, 1]);
  const at = QUERY.length;
  assertMalformed(answer([good], { count: 2 }), "too early");
  assertMalformed(answer([good], { count: 65_535 }), "too early");
  assertEquals(addresses(answer([good, good], { count: 1 })), [ONE], "what is not counted is not read");
  assertMalformed(answer([record(NAME, A, [192, 0, 2])]), "wrong length");
  assertMalformed(answer([record(NAME, CNAME, [...NAME, 0])]), "as long as it says");
  assertMalformed(answer([record([0xC0, at], A, [192, 0, 2, 1])]), "circle");
  assertMalformed(answer([record([1, 0x78, 0xC0, at], A, [192, 0, 2, 1])]), "too long");
  assertMalformed(answer([record([0xC0, at + 2], A, [192, 0, 2, 1])]), "circle");
  assertMalformed(answer([record([0x40, 0], A, [192, 0, 2, 1])]), "too long");
  assertMalformed(answer([record([...labels(...Array(128).fill("x")), 0], A, [192, 0, 2, 1])]), "too long");
  assertMalformed(answer([record(NAME, CNAME, NAME)]), "circle");
  const there = [...labels("there"), 0];
  assertMalformed(answer([record(NAME, CNAME, there), record(there, CNAME, NAME)]), "circle");
});

Deno.test("readAnswer() follows 127 pointers of a name and no more, so that time grows with the octets alone", () => {
  /** A record of a type that nobody wants, whose data are pointers, each to the one before. */
  function pointing(count: number): Uint8Array {
    const start = QUERY.length + 12;
    const data = [...NAME];
    for (let i = 1; i < count; i++) data.push(0xC0 | start + 2 * (i - 1) >> 8, start + 2 * (i - 1) & 0xFF);
    const last = start + 2 * (count - 1);
    return answer([record(NAME, 99, data), record([0xC0 | last >> 8, last & 0xFF], A, [192, 0, 2, 1])]);
  }
  assertEquals(addresses(pointing(126)), [ONE]);
  assertMalformed(pointing(127), "circle");
});
