/**
 * Keeps the counts of limits in memory, for one process or for the workers of one machine.
 *
 * @module
 */

import type { Allowance, CalendarUnit } from "../policy/limit_amount.ts";
import type { Clock } from "../runtime/clock.ts";
import { windowEnd, windowStart } from "./calendar.ts";
import type { Ask, Grant, LimitStore } from "./store.ts";

/**
 * How many counts there are at most. Beyond it, those of a limit that are new share one, so that a stranger with many
 * addresses makes neither memory grow nor a used count be forgotten.
 */
export const MAX_COUNTS = 100_000;

/** Two searches for counts that are full again are at least this many milliseconds apart. */
const SWEEP_INTERVAL = 1_000;

/** The key of the count that new keys share while there are too many. */
const OTHERS = "\n";

/** How much an idle bandwidth may catch up, in milliseconds. It hides the delays of timers and of the way to a store. */
const CATCH_UP = 100;

/** The same for a question: what it asks for is there at once after a pause, so that a lone datagram passes. */
export function catchUp({ want, allowance: { most } }: Ask): number {
  return Math.max(CATCH_UP, want / most * 1_000);
}

/** One grant takes at most this part of what is left of a quota, so that the last of it is not stuck in leases. */
const LAST_PARTS = 16;

/** The quotas that are not full, to be kept over a restart. */
export interface SavedQuota {
  readonly limit: string;
  readonly key: string;
  readonly unit: CalendarUnit;
  /** When the window began, in milliseconds since 1970. */
  readonly start: number;
  readonly used: number;
}

/** One count. */
interface Count {
  take(ask: Ask, asker: string): Grant;
  /** Whether it is as if it had never been used. */
  isFull(): boolean;
}

type Time = Pick<Clock, "now" | "date">;

/** See `LimitStore`. It answers at once. */
export class MemoryStore implements LimitStore {
  readonly #clock: Time;
  readonly #counts = new Map<string, Map<string, Count>>();
  #size = 0;
  #nextSweep = -Infinity;
  #changed = false;

  constructor(clock: Time) {
    this.#clock = clock;
  }

  /** How many counts there are. */
  get size(): number {
    return this.#size;
  }

  ask(asks: readonly Ask[], asker = ""): readonly Grant[] {
    return asks.map((ask) => this.one(ask, asker));
  }

  /** Answers one question. */
  one(ask: Ask, asker = ""): Grant {
    this.#changed ||= ask.allowance.kind === "quota";
    return this.#find(ask.limit, ask.key, ask.allowance).take(ask, asker);
  }

  forget(asker: string): void {
    for (const counts of this.#counts.values()) {
      for (const count of counts.values()) if (count instanceof Connections) count.forget(asker);
    }
  }

  /** The quotas that are used, if one has changed since the last call. */
  changed(): SavedQuota[] | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    return [...this.quotas()];
  }

  /** The quotas that are used. */
  *quotas(): Iterable<SavedQuota> {
    for (const [limit, counts] of this.#counts) {
      for (const [key, count] of counts) {
        if (count instanceof Quota && !count.isFull()) yield { limit, key, ...count.saved };
      }
    }
  }

  /** Takes up quotas where they were left. Those of a window that has ended are full again. */
  restore({ limit, key, unit, start, used }: SavedQuota): void {
    const count = this.#find(limit, key, { kind: "quota", of: "bytes", most: 0, unit });
    if (count instanceof Quota) count.restore(start, used);
  }

  #find(limit: string, key: string, allowance: Allowance): Count {
    let counts = this.#counts.get(limit);
    if (!counts) this.#counts.set(limit, counts = new Map());
    const known = counts.get(key);
    if (known) return known;
    if (this.#size >= MAX_COUNTS) this.#sweep();
    // The sweep may have taken the limit away.
    if (counts.size === 0) this.#counts.set(limit, counts);
    if (this.#size >= MAX_COUNTS && key !== OTHERS) return this.#find(limit, OTHERS, allowance);
    const count = this.#make(allowance);
    counts.set(key, count);
    this.#size++;
    return count;
  }

  #make(allowance: Allowance): Count {
    switch (allowance.kind) {
      case "connections":
        return new Connections();
      case "rate":
        return new Rate(this.#clock);
      case "bandwidth":
        return new Bandwidth(this.#clock);
      case "quota":
        return new Quota(this.#clock, allowance.unit);
    }
  }

  #sweep(): void {
    const now = this.#clock.now();
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + SWEEP_INTERVAL;
    for (const [limit, counts] of this.#counts) {
      for (const [key, count] of counts) {
        if (count.isFull() && counts.delete(key)) this.#size--;
      }
      if (counts.size === 0) this.#counts.delete(limit);
    }
  }
}

class Connections implements Count {
  readonly #held = new Map<string, number>();
  #sum = 0;

  take({ want, allowance: { most } }: Ask, asker: string): Grant {
    const before = this.#held.get(asker) ?? 0;
    const granted = Math.max(Math.min(want, most - (this.#sum - before)), Math.min(want, before));
    this.#hold(asker, granted);
    return { granted, wait: 0 };
  }

  forget(asker: string): void {
    this.#hold(asker, 0);
  }

  #hold(asker: string, count: number): void {
    this.#sum += count - (this.#held.get(asker) ?? 0);
    if (count > 0) this.#held.set(asker, count);
    else this.#held.delete(asker);
  }

  isFull(): boolean {
    return this.#sum === 0;
  }
}

/**
 * Tokens that come back evenly, as one number (ITU-T I.371's generic cell rate algorithm): the time at which all are there
 * again.
 */
class Rate implements Count {
  readonly #clock: Time;
  #fullAt = -Infinity;

  constructor(clock: Time) {
    this.#clock = clock;
  }

  take({ want, back = 0, allowance }: Ask): Grant {
    const { most, time } = allowance as Allowance & { kind: "rate" };
    const now = this.#clock.now();
    const interval = time / most;
    this.#fullAt -= back * interval;
    const missing = Math.max(0, this.#fullAt - now) / interval;
    const granted = Math.max(0, Math.min(want, Math.floor(most - missing + 1e-6)));
    if (granted > 0) this.#fullAt = Math.max(this.#fullAt, now) + granted * interval;
    const wait = Math.max(0, this.#fullAt - now - (most - 1) * interval);
    return { granted, wait };
  }

  isFull(): boolean {
    return this.#fullAt <= this.#clock.now();
  }
}

/** Bytes that come evenly. Who asks is always granted them, for the time at which they are there. */
class Bandwidth implements Count {
  readonly #clock: Time;
  #takenUntil = -Infinity;

  constructor(clock: Time) {
    this.#clock = clock;
  }

  take(ask: Ask): Grant {
    const { want, allowance: { most } } = ask;
    const now = this.#clock.now();
    this.#takenUntil = Math.max(this.#takenUntil, now - catchUp(ask)) + want / most * 1_000;
    return { granted: want, wait: Math.max(0, this.#takenUntil - now) };
  }

  isFull(): boolean {
    return this.#takenUntil <= this.#clock.now() - CATCH_UP;
  }
}

class Quota implements Count {
  readonly #clock: Time;
  readonly #unit: CalendarUnit;
  #start = -Infinity;
  #used = 0;

  constructor(clock: Time, unit: CalendarUnit) {
    this.#clock = clock;
    this.#unit = unit;
  }

  get saved(): Pick<SavedQuota, "unit" | "start" | "used"> {
    return { unit: this.#unit, start: this.#start, used: this.#used };
  }

  restore(start: number, used: number): void {
    this.#start = start;
    this.#used = used;
  }

  take({ want, back = 0, allowance: { most } }: Ask): Grant {
    const now = this.#clock.date().getTime();
    this.#turn(now);
    this.#used = Math.max(0, this.#used - back);
    const granted = lastPart(want, most - this.#used);
    this.#used += granted;
    return { granted, wait: windowEnd(this.#unit, now) - now };
  }

  /** Begins a new window if it is time. */
  #turn(now: number): void {
    const start = windowStart(this.#unit, now);
    if (start === this.#start) return;
    this.#start = start;
    this.#used = 0;
  }

  isFull(): boolean {
    this.#turn(this.#clock.date().getTime());
    return this.#used === 0;
  }
}

/** How much of what is left is granted to one asker that wants more than the next bit. */
export function lastPart(want: number, left: number): number {
  if (left <= 0) return 0;
  return Math.min(want, Math.max(Math.ceil(left / LAST_PARTS), Math.min(left, SMALL)));
}

/** What a grant may always be, as far as it is left: one read of a transfer. */
const SMALL = 65_536;
