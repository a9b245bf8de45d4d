import { assertEquals } from "@std/assert";
import {
  idAt,
  idOf,
  KNOWN_NAMES,
  type KnownName,
  lengthOf,
  namesOf,
  nextSlot,
  UNKNOWN,
} from "../../src/protocols/http/names.ts";
import { lowerTokenByte, toOctets } from "../../src/protocols/http/syntax.ts";

function lookUp(name: string): number {
  const octets = toOctets(`: ${name}:`);
  const [start, end] = [2, 2 + name.length];
  const slot = octets.subarray(start, end).reduce((at, octet) => nextSlot(at, lowerTokenByte(octet)), 0);
  return idAt(octets, start, end, slot);
}

Deno.test("a known name is found in whatever case, and no two of them are in each other's way", () => {
  for (const name of KNOWN_NAMES) {
    const titled = name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
    for (const spelling of [name, titled, name.toUpperCase()]) assertEquals(lookUp(spelling), idOf(name));
    assertEquals([idOf(name) === UNKNOWN, lengthOf(idOf(name))], [false, name.length]);
  }
});

Deno.test("a name is not taken for a known one that it resembles", () => {
  for (const name of ["X-Own", "Hos", "Hostt", "h", "Content_Type", "Via2", "vi~"]) {
    assertEquals(lookUp(name), UNKNOWN, name);
  }
});

Deno.test("a name that shares a slot with a known one is told from it", () => {
  const slotOf = (name: string) =>
    toOctets(name).reduce((at, octet) => nextSlot(at, lowerTokenByte(octet)), 0);
  const letters = "abcdefghijklmnopqrstuvwxyz";
  const wanted = slotOf("host");
  const others = [...letters].flatMap((a) =>
    [...letters].flatMap((b) => [...letters].flatMap((c) => [...letters].map((d) => a + b + c + d)))
  ).filter((name) => name !== "host" && slotOf(name) === wanted);
  assertEquals(others.length > 100, true);
  for (const name of others) assertEquals(lookUp(name), UNKNOWN, name);
});

Deno.test("every known name has a bit of its own, and none has that of all others", () => {
  const bits = KNOWN_NAMES.map((name) => namesOf(name as KnownName));
  assertEquals(new Set([...bits, 1 << UNKNOWN]).size, KNOWN_NAMES.length + 1);
  assertEquals(bits.map((bit) => Math.log2(bit >>> 0) % 1), bits.map(() => 0));
});
