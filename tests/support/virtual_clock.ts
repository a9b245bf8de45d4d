/**
 * Time that passes only when a test says so.
 *
 * @module
 */

import type { Clock } from "../../src/runtime/clock.ts";

/** A clock that the test sets. */
export class VirtualClock implements Clock {
  #now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  /** See `Clock`. */
  now(): number {
    return this.#now;
  }

  /** See `Clock`. */
  date(): Date {
    return new Date(Date.UTC(2026, 0, 1) + this.#now);
  }

  /** See `Clock`. */
  schedule(delay: number, callback: () => void): () => void {
    const timer = { at: this.#now + delay, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How many callbacks are scheduled. It is 0 if nothing was left running. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass. Calls back everything that falls due, in order. */
  advance(milliseconds: number): void {
    const until = this.#now + milliseconds;
    while (true) {
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = until;
  }
}
