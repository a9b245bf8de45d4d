/**
 * Time as an argument, so that tests can set it.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Tells the time and calls back. */
export interface Clock {
  /** Milliseconds since some moment. Never jumps, even if the system's clock is changed. */
  now(): number;
  /** The date, for logs and `Date` fields only. */
  date(): Date;
  /** Calls back once, in `delay` milliseconds or a little later. Returns a function that cancels it. */
  schedule(delay: number, callback: () => void): () => void;
}

let turn: number | undefined;
let date = 0;

/**
 * Returns the same time, and sets the same date, throughout one turn of the event loop: a request asks for it a dozen times and, while the core
 * is busy, many requests share a turn.
 */
function now(): number {
  if (turn === undefined) {
    turn = performance.now();
    date = Date.now();
    setImmediate(endTurn);
  }
  return turn;
}

function endTurn(): void {
  turn = undefined;
}

/** The system's clock. */
export const SYSTEM_CLOCK: Clock = {
  now,
  date() {
    now();
    return new Date(date);
  },
  schedule(delay, callback) {
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};
