/**
 * Deadlines of many connections under one timer: setting one costs an assignment, not a timer.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

/** Something whose time may run out. */
export interface Timed {
  /** When, by the clock; `Infinity` for never. */
  readonly expiresAt: number;
  /** Called once that time has come, and again at each sweep until it is moved. */
  expire(): void;
}

/** No deadline is looked at more often than this, in milliseconds; none is late by more. */
const GRANULARITY = 25;

/** Watches deadlines: one sweep over all that are watched, at the time of the earliest. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #watched = new Set<Timed>();
  #nextSweep = Infinity;
  #cancelSweep: () => void = () => {};

  /** Sleeps while nothing is watched. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches it, or takes note that its deadline has moved. Moving it to a later time needs no call. */
  watch(timed: Timed): void {
    this.#watched.add(timed);
    if (timed.expiresAt < this.#nextSweep) this.#sweepAt(timed.expiresAt);
  }

  /** Stops watching it. */
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
