import { assert, assertEquals } from "@std/assert";
import { fromOctets, isToken, isTokenByte, listElements, toOctets } from "../../src/protocols/http/syntax.ts";

Deno.test("isTokenByte() knows the characters of RFC 9110 section 5.6.2 and no others", () => {
  for (let byte = 0; byte < 256; byte++) {
    const expected = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte));
    assertEquals(isTokenByte(byte), expected, `byte ${byte}`);
  }
});

Deno.test("isToken() needs one character at least, and all of them of a token", () => {
  for (const token of ["a", "GET", "X-Foo", "!#$%&'*+-.^_`|~09azAZ"]) {
    assertEquals(isToken(token), true, token);
  }
  const others = [
    "",
    " ",
    "a b",
    "a:",
    "\ta",
    "a\r",
    "a\0",
    "(a)",
    'a"',
    "é",
    "\u0130",
    "\u212A",
    "a/b",
    "[a]",
    "{a}",
  ];
  for (const text of others) assertEquals(isToken(text), false, text);
});

Deno.test("every octet is one character, and comes back as the same octet", () => {
  for (const length of [0, 1, 255, 256, 4095, 4096, 4097, 65536]) {
    const octets = Uint8Array.from({ length }, (_, i) => i);
    const text = fromOctets(octets);
    assertEquals(text.length, length);
    for (let i = 0; i < length; i++) {
      if (text.charCodeAt(i) !== octets[i]) {
        throw new Error(`Octet ${octets[i]} became ${text.charCodeAt(i)}`);
      }
    }
    assertEquals(toOctets(text), octets);
  }
});

const LISTS: [value: string, elements: string[]][] = [
  ["", []],
  [" \t ", []],
  [",", []],
  [" , ,\t,", []],
  ["a", ["a"]],
  ["a,b", ["a", "b"]],
  [" a\t,\t b ", ["a", "b"]],
  [",a,,b,", ["a", "b"]],
  ["a b , c\td", ["a b", "c\td"]],
  ["\xA0a\xA0, \x85b", ["\xA0a\xA0", "\x85b"]],
];

for (const [value, elements] of LISTS) {
  Deno.test(`listElements() finds ${elements.length} elements in ${JSON.stringify(value)}`, () => {
    assertEquals(listElements(value), elements);
  });
}

Deno.test("listElements() looks at white space once, however much there is of it", () => {
  // A search for the end of the white space from each of its places takes 2^39 steps here, and minutes.
  const space = " ".repeat(2 ** 20);
  const start = performance.now();
  assertEquals(listElements(`a${space}b`), [`a${space}b`]);
  assertEquals(listElements(`${space}a${space},${space}`), ["a"]);
  assert(performance.now() - start < 10_000);
});
