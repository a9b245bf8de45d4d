import { assertEquals } from "@std/assert";
import { Deadlines, type Timed } from "../../src/runtime/deadlines.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

class Entry implements Timed {
  expiresAt: number;
  readonly #onExpire: () => void;

  constructor(expiresAt: number, onExpire: () => void) {
    this.expiresAt = expiresAt;
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.expiresAt = Infinity;
    this.#onExpire();
  }
}

Deno.test("Deadlines expires each at its time, late by less than the granularity", () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const log: string[] = [];
  for (const at of [500, 100, 110, 10_000]) {
    deadlines.watch(new Entry(at, () => log.push(`${at} at ${clock.now()}`)));
  }
  clock.advance(20_000);
  assertEquals(log, ["100 at 100", "110 at 125", "500 at 500", "10000 at 10000"]);
});

Deno.test("Deadlines lets a deadline be moved to a later time without being told", () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  let expired = 0;
  const entry = new Entry(100, () => expired++);
  deadlines.watch(entry);
  clock.advance(90);
  entry.expiresAt = 300;
  clock.advance(150);
  assertEquals(expired, 0);
  clock.advance(60);
  assertEquals(expired, 1);
});

Deno.test("Deadlines takes note of a deadline that is moved to an earlier time", () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  let expired = 0;
  const entry = new Entry(60_000, () => expired++);
  deadlines.watch(entry);
  entry.expiresAt = 1_000;
  deadlines.watch(entry);
  clock.advance(1_000);
  assertEquals(expired, 1);
});

Deno.test("Deadlines leaves no timer behind when nothing is watched", () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const entry = new Entry(1_000, () => {});
  deadlines.watch(entry);
  assertEquals(clock.pending, 1);
  deadlines.forget(entry);
  assertEquals(clock.pending, 0);
});
