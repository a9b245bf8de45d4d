/**
 * Which upstreams have failed, and when they are worth another try.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";

/**
 * How long an upstream is left alone after its first failure, in milliseconds; then twice as long each time.
 */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 60_000;

/**
 * More failing upstreams than this are forgotten, the oldest first: routes may be made up for each request.
 */
const MAX_FAILING = 1_024;

interface Pause {
  length: number;
  until: number;
}

/** The state of upstreams, by key; shared by all connections. Those that work are not remembered. */
export class Health {
  readonly #clock: Pick<Clock, "now">;
  readonly #pauses = new Map<string, Pause>();

  /** Time comes from `clock`. */
  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /**
   * Whether an upstream is to be tried. When its pause is over, the one who asks first is told so, and
   * everybody else once that one has succeeded: the next pause has begun, twice as long.
   */
  admits(key: string): boolean {
    const pause = this.#pauses.get(key);
    if (!pause) return true;
    const now = this.#clock.now();
    if (now < pause.until) return false;
    pause.length = Math.min(2 * pause.length, LONGEST_PAUSE);
    pause.until = now + pause.length;
    return true;
  }

  /** Whether it is left alone for now. To ask this changes nothing. */
  pauses(key: string): boolean {
    const pause = this.#pauses.get(key);
    return pause !== undefined && this.#clock.now() < pause.until;
  }

  /**
   * It has failed. That it fails for those who were under way already, or who had no choice, adds nothing.
   */
  failed(key: string): void {
    if (this.#pauses.has(key)) return;
    this.#pauses.set(key, { length: FIRST_PAUSE, until: this.#clock.now() + FIRST_PAUSE });
    if (this.#pauses.size > MAX_FAILING) this.#pauses.delete(this.#pauses.keys().next().value!);
  }

  /** It has done what it was asked to, or has refused to with good reason. */
  recovered(key: string): void {
    this.#pauses.delete(key);
  }
}
