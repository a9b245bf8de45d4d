/**
 * Time, as an argument: tests turn the hands themselves.
 *
 * @module
 */

/** Tells the time and calls back. */
export interface Clock {
  /** Milliseconds since some moment; never jumps, whatever is done to the system's clock. */
  now(): number;
  /** The date, for logs and `Date` fields only. */
  date(): Date;
  /** Calls back once, in `delay` milliseconds or a little later. Returns what calls it off. */
  schedule(delay: number, callback: () => void): () => void;
}

/** The computer's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  schedule(delay, callback) {
    const timer = setTimeout(callback, delay);
    return () => clearTimeout(timer);
  },
};
