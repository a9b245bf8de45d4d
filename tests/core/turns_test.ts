import { assertEquals } from "@std/assert";
import { Turns } from "../../adapters/turns.ts";

const KIB = 1024;

Deno.test("turns are long where all have much to say", () => {
  const turns = new Turns({ long: 1024 * KIB, short: 64 * KIB });
  turns.heard(64 * KIB);
  assertEquals([turns.isOver(1023 * KIB), turns.isOver(1024 * KIB)], [false, true]);
});

Deno.test("turns are short once somebody has little to say, and for a while behind that", () => {
  const turns = new Turns({ long: 1024 * KIB, short: 64 * KIB });
  turns.heard(100);
  let short = 0;
  while (turns.isOver(64 * KIB)) short++;
  assertEquals(short, 256);
  assertEquals([turns.isOver(63 * KIB), turns.isOver(1024 * KIB)], [false, true]);
  turns.heard(100);
  assertEquals([turns.isOver(63 * KIB), turns.isOver(64 * KIB)], [false, true]);
});
