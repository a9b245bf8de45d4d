/**
 * Time, as an argument: tests turn the hands themselves.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Tells the time and calls back. */
export interface Clock {
  /** Milliseconds since some moment; never jumps, whatever is done to the system's clock. */
  now(): number;
  /** The date, for logs and `Date` fields only. */
  date(): Date;
  /** Calls back once, in `delay` milliseconds or a little later. Returns what calls it off. */
  schedule(delay: number, callback: () => void): () => void;
}

let turn: number | undefined;

/**
 * One time for all that happens in the same turn of the event loop: a request asks for it a dozen times, and where
 * the core is busy many requests share a turn.
 */
function now(): number {
  if (turn === undefined) {
    turn = performance.now();
    setImmediate(endTurn);
  }
  return turn;
}

function endTurn(): void {
  turn = undefined;
}

/** The computer's clock. */
export const SYSTEM_CLOCK: Clock = {
  now,
  date: () => new Date(),
  schedule(delay, callback) {
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};
