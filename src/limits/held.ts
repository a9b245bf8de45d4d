/**
 * What one request holds of the limits that it meets.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import type { Way } from "../policy/limit_amount.ts";
import { describe, type LimitRule } from "../policy/rule.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Pace, Paces } from "../traffic/pace.ts";
import type { Holding } from "./holding.ts";
import type { Lease } from "./lease.ts";
import type { Counter, LimitObserver, Noted } from "./counter.ts";
import { limitReached } from "./reached.ts";
import { Flow, type Shaper } from "./shaper.ts";

/** Held from the request's admission to its end. */
export class Held implements Paces {
  up: RequestPace | undefined;
  down: RequestPace | undefined;
  readonly #clock: Pick<Clock, "date">;
  readonly #observer: LimitObserver;
  readonly #noted: Noted;
  readonly #holdings: Holding[] = [];
  readonly #drawn: Lease[] = [];

  constructor(clock: Pick<Clock, "date">, observer: LimitObserver, noted: Noted) {
    this.#clock = clock;
    this.#observer = observer;
    this.#noted = noted;
  }

  /** A limit of connections counts the request. */
  hold(holding: Holding): undefined {
    this.#holdings.push(holding);
  }

  /** A token was drawn for the request. */
  draw(lease: Lease): undefined {
    this.#drawn.push(lease);
  }

  /** The bytes of the request use a quota up. */
  spend(limit: LimitRule, lease: Lease): void {
    const { way } = limit.terms;
    if (way !== "down") this.#pace("up").quotas.push({ limit, lease });
    if (way !== "up") this.#pace("down").quotas.push({ limit, lease });
  }

  /** The bytes of the request share a bandwidth. */
  shape(limit: LimitRule, { up, down }: Counter): void {
    if (up) this.#pace("up").add(limit, up);
    if (down) this.#pace("down").add(limit, down);
  }

  #pace(way: Way): RequestPace {
    return this[way] ??= new RequestPace(this);
  }

  /** A limit is reached. Returns the fault, unless the limit is in the shadow. */
  reach(limit: LimitRule, wait: number): Fault | undefined {
    this.#observer.reached(limit);
    this.#noted.limit = describe(limit);
    return limit.terms.shadow ? undefined : limitReached(limit, { wait, now: this.#clock.date() });
  }

  /** Another limit has refused the request: it was never there. */
  withdraw(): void {
    for (const lease of this.#drawn) lease.putBack(1);
    this.release();
  }

  /** The request has ended. Called once. */
  release(): void {
    for (const holding of this.#holdings) holding.give();
    this.up?.end();
    this.down?.end();
  }
}

/** The limits on the bytes of a request, one way. */
class RequestPace implements Pace {
  readonly quotas: { readonly limit: LimitRule; readonly lease: Lease }[] = [];
  readonly #held: Held;
  readonly #shapers: {
    readonly limit: LimitRule;
    readonly shaper: Shaper;
    readonly flow: Flow;
    noted: boolean;
  }[] = [];
  #turn = Infinity;

  constructor(held: Held) {
    this.#held = held;
  }

  add(limit: LimitRule, shaper: Shaper): void {
    this.#shapers.push({ limit, shaper, flow: new Flow(), noted: false });
    this.#turn = Math.min(this.#turn, shaper.turn);
  }

  /** See `Pace`. */
  next(count: number): number | Promise<number> {
    return this.#pass(0, Math.min(count, this.#turn));
  }

  /** Asks the limits from the given one on, the quotas first. */
  #pass(first: number, count: number): number | Promise<number> {
    const quotas = this.quotas.length;
    let passing = count;
    for (let i = first; i < quotas + this.#shapers.length; i++) {
      const passed = i < quotas ? this.#spend(i, passing) : this.#shape(i - quotas, passing);
      if (passed instanceof Promise) return passed.then((passed) => this.#pass(i + 1, passed));
      passing = passed;
    }
    return passing;
  }

  #spend(i: number, count: number): number | Promise<number> {
    const { limit, lease } = this.quotas[i];
    const spent = (drawn: number): number => {
      if (drawn > 0 && !limit.terms.shadow) return drawn;
      const fault = drawn > 0 ? undefined : this.#held.reach(limit, lease.wait);
      if (fault) throw fault;
      return count;
    };
    const drawn = lease.draw(count);
    return drawn instanceof Promise ? drawn.then(spent) : spent(drawn);
  }

  #shape(i: number, count: number): number | Promise<number> {
    const one = this.#shapers[i];
    const { limit, shaper, flow } = one;
    if (limit.terms.shadow && shaper.isEmpty && !one.noted) {
      one.noted = true;
      this.#held.reach(limit, 0);
    }
    return shaper.take(flow, count)?.then(() => count) ?? count;
  }

  /** Whether a datagram with `count` bytes may move at once. */
  passes(count: number): boolean {
    return this.quotas.every(({ limit, lease }) => {
      const drawn = lease.draw(count);
      if (drawn instanceof Promise) drawn.then((drawn) => lease.putBack(drawn), () => {});
      else if (drawn === count) return true;
      else lease.putBack(drawn);
      return !this.#held.reach(limit, lease.wait);
    }) && this.#shapers.every(({ limit, shaper }) => shaper.offer(count) || limit.terms.shadow);
  }

  /** The request has ended: its flows need no turns. */
  end(): void {
    for (const { flow } of this.#shapers) flow.over = true;
  }
}
