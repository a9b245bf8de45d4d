/**
 * The deadlines of many connections under one timer. Setting one costs an assignment, not a timer.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

/** Something with a deadline. */
export interface Timed {
  /** The time of the deadline, by the clock; `Infinity` for never. */
  readonly expiresAt: number;
  /** Called once that time has come, and again at each sweep until the time is moved. */
  expire(): void;
}

/** Sweeps are at least this far apart, in milliseconds. So a deadline is late by no more than this. */
const GRANULARITY = 25;

/** Watches deadlines. At the time of the earliest one, it sweeps over all. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #watched = new Set<Timed>();
  #nextSweep = Infinity;
  #cancelSweep: () => void = () => {};

  /** Sleeps while it watches nothing. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches an object, or notes that its deadline is now earlier. Moving a deadline to a later time needs no call. */
  watch(timed: Timed): void {
    this.#watched.add(timed);
    if (timed.expiresAt < this.#nextSweep) this.#sweepAt(timed.expiresAt);
  }

  /** Stops watching an object. */
  forget(timed: Timed): void {
    this.#watched.delete(timed);
    if (this.#watched.size === 0) this.#sweepAt(Infinity);
  }

  #sweepAt(time: number): void {
    this.#cancelSweep();
    this.#nextSweep = time;
    if (time === Infinity) return;
    const delay = Math.max(time - this.#clock.now(), GRANULARITY);
    this.#cancelSweep = this.#clock.schedule(delay, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#clock.now();
    this.#nextSweep = Infinity;
    for (const timed of [...this.#watched]) if (timed.expiresAt <= now) timed.expire();
    let earliest = Infinity;
    for (const timed of this.#watched) earliest = Math.min(earliest, timed.expiresAt);
    this.#sweepAt(earliest);
  }
}
