import { assertEquals } from "@std/assert";
import { KNOWN_NAMES, knownName, nextSlot } from "../../src/protocols/http/names.ts";
import { lowerTokenByte, toOctets } from "../../src/protocols/http/syntax.ts";

function lookUp(name: string): string | undefined {
  const octets = toOctets(`: ${name}:`);
  const [start, end] = [2, 2 + name.length];
  const slot = octets.subarray(start, end).reduce((at, octet) => nextSlot(at, lowerTokenByte(octet)), 0);
  return knownName(octets, { start, end, slot });
}

Deno.test("a known name is found in whatever case, and no two of them are in each other's way", () => {
  for (const name of KNOWN_NAMES) {
    const titled = name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
    for (const spelling of [name, titled, name.toUpperCase()]) assertEquals(lookUp(spelling), name);
  }
});

Deno.test("a name is not taken for a known one that it resembles", () => {
  for (const name of ["X-Own", "Hos", "Hostt", "h", "Content_Type", "Via2", "vi~"]) {
    assertEquals(lookUp(name), undefined, name);
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
  for (const name of others) assertEquals(lookUp(name), undefined, name);
});
