/**
 * Which upstreams have failed, and when to try them again.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";

/** How long an upstream is left alone after its first failure, in milliseconds. Each further pause is twice as long. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 60_000;

/**
 * The most failing upstreams that are remembered. The oldest is forgotten first: a route may name new ones for each
 * request.
 */
const MAX_FAILING = 1_024;

interface Pause {
  /** How logs and pages name the upstream. */
  readonly route: string;
  length: number;
  until: number;
}

/** The failures of upstreams, by key, shared by all connections. Upstreams that work are not remembered. */
export class Health {
  readonly #clock: Pick<Clock, "now">;
  readonly #pauses = new Map<string, Pause>();

  /** Time comes from `clock`. */
  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /**
   * Whether to try an upstream. When its pause is over, the first caller gets true and the next pause begins, twice as
   * long. So all others wait until that caller has succeeded.
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

  /** Whether an upstream is in its pause. Asking changes nothing. */
  pauses(key: string): boolean {
    const pause = this.#pauses.get(key);
    return pause !== undefined && this.#clock.now() < pause.until;
  }

  /**
   * An upstream has failed. Further failures of dials that were under way, or had no choice, do not lengthen the pause.
   */
  failed(key: string, route: string): void {
    if (this.#pauses.has(key)) return;
    this.#pauses.set(key, { route, length: FIRST_PAUSE, until: this.#clock.now() + FIRST_PAUSE });
    if (this.#pauses.size > MAX_FAILING) this.#pauses.delete(this.#pauses.keys().next().value!);
  }

  /** The routes that have failed and not succeeded since. */
  get failing(): string[] {
    return [...this.#pauses.values()].map(({ route }) => route);
  }

  /** The upstream has done what it was asked to, or has refused it for a good reason. */
  recovered(key: string): void {
    this.#pauses.delete(key);
  }
}
