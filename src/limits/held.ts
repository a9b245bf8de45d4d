/**
 * What one client holds of the limits that its request meets.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import { countsBytes, type Way } from "../policy/limit_amount.ts";
import { describe, type LimitRule } from "../policy/rule.ts";
import type { RuleRequest } from "../policy/rule_request.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Pace, Paces } from "../traffic/pace.ts";
import type { Counter, LimitObserver, Noted } from "./counter.ts";
import type { Lease } from "./lease.ts";
import { limitReached } from "./reached.ts";
import { Flow, type Shaper } from "./shaper.ts";

/** When a connection ends is not known. Clients are told to come back in so many milliseconds. */
const NO_TIME = 5_000;

/** A limit that the request meets, with the counter of its key. */
export interface Met {
  readonly limit: LimitRule;
  readonly counter: Counter;
}

/** A limit of requests or connections, and whether the request has taken something of it. */
interface Entry extends Met {
  taken: boolean;
}

/** What a {@link Held} works with. */
export interface HeldOptions {
  readonly clock: Pick<Clock, "date">;
  readonly observer: LimitObserver;
  /** The request that met these limits. Later ones of the same client that ask for the same need not be matched again. */
  readonly question: RuleRequest;
}

/** Held from a request's admission to its end. One request after another may use it. */
export class Held implements Paces {
  readonly up: RequestPace | undefined;
  readonly down: RequestPace | undefined;
  readonly #options: HeldOptions;
  readonly #entries: readonly Entry[];
  #noted: Noted = { limit: undefined };

  constructor(met: readonly Met[], options: HeldOptions) {
    this.#options = options;
    this.#entries = met.map((one) => ({ ...one, taken: false })).filter(({ counter }) => !counter.shaped);
    this.up = paceOf("up", met, this);
    this.down = paceOf("down", met, this);
  }

  /** Whether no limit is about the request. */
  get isEmpty(): boolean {
    return this.#entries.length === 0 && !this.up && !this.down;
  }

  /** Whether a request meets the same limits as the one before. */
  isFor({ host, port, protocol, user, client }: RuleRequest): boolean {
    const { question } = this.#options;
    return host === question.host && port === question.port && protocol === question.protocol &&
      user === question.user && client === question.client;
  }

  /** Counts a request in. Returns the fault that refuses it. A promise if a store elsewhere has to be asked. */
  begin(noted: Noted): Fault | undefined | Promise<Fault | undefined> {
    this.#noted = noted;
    this.up?.begin();
    this.down?.begin();
    return this.#enter(0);
  }

  #enter(first: number): Fault | undefined | Promise<Fault | undefined> {
    for (let i = first; i < this.#entries.length; i++) {
      const refused = this.#take(this.#entries[i]);
      if (refused instanceof Promise) {
        return refused.then((refused) => refused ? this.#withdraw(refused) : this.#enter(i + 1));
      }
      if (refused) return this.#withdraw(refused);
    }
    return undefined;
  }

  #take(entry: Entry): Fault | undefined | Promise<Fault | undefined> {
    const { limit, counter: { holding, lease } } = entry;
    if (holding) {
      const taken = holding.take();
      return taken instanceof Promise
        ? taken.then((taken) => this.#entered(entry, taken, NO_TIME))
        : this.#entered(entry, taken, NO_TIME);
    }
    const drawn = lease!.draw(1);
    if (drawn instanceof Promise) return drawn.then((drawn) => this.#drawn(entry, drawn));
    // Almost every request comes this way, so it makes no closure.
    if (drawn === 1 && !countsBytes(limit.terms.allowance)) {
      entry.taken = true;
      return undefined;
    }
    return this.#drawn(entry, drawn);
  }

  /** A request needs one token, and gives it back if the quota counts bytes: then it only asks whether any are left. */
  #drawn(entry: Entry, drawn: number): Fault | undefined {
    const lease = entry.counter.lease!;
    const ofBytes = countsBytes(entry.limit.terms.allowance);
    if (ofBytes) lease.putBack(drawn);
    const refused = this.#entered(entry, drawn > 0, lease.wait);
    if (ofBytes) entry.taken = false;
    return refused;
  }

  #entered(entry: Entry, taken: boolean, wait: number): Fault | undefined {
    entry.taken = taken;
    return taken ? undefined : this.reach(entry.limit, wait);
  }

  /** A limit is reached. Returns the fault, unless the limit is in the shadow. */
  reach(limit: LimitRule, wait: number): Fault | undefined {
    const { observer, clock } = this.#options;
    observer.reached(limit);
    this.#noted.limit = describe(limit);
    return limit.terms.shadow ? undefined : limitReached(limit, { wait, now: clock.date() });
  }

  /** The request is refused: it was never there. */
  #withdraw(fault: Fault): Fault {
    for (const { counter: { lease }, taken } of this.#entries) if (taken) lease?.putBack(1);
    this.release();
    return fault;
  }

  /** The request has ended. Called once for each that has begun and was not refused. */
  release(): void {
    for (const entry of this.#entries) {
      if (entry.taken) entry.counter.holding?.give();
      entry.taken = false;
    }
    this.up?.end();
    this.down?.end();
  }
}

/** The pace of one way; undefined if no limit is about it. */
function paceOf(way: Way, met: readonly Met[], held: Held): RequestPace | undefined {
  const counted = met.filter(({ limit: { terms } }) => (terms.way ?? way) === way);
  const quotas = counted.flatMap(({ limit, counter: { lease } }) =>
    lease && countsBytes(limit.terms.allowance) ? { limit, lease } : []
  );
  const shapers = counted.flatMap(({ limit, counter }) => {
    const shaper = counter[way];
    return shaper ? { limit, shaper, flow: new Flow(), noted: false } : [];
  });
  return quotas.length + shapers.length > 0 ? new RequestPace(held, quotas, shapers) : undefined;
}

interface Spent {
  readonly limit: LimitRule;
  readonly lease: Lease;
}

interface Shaped {
  readonly limit: LimitRule;
  readonly shaper: Shaper;
  readonly flow: Flow;
  noted: boolean;
}

/** The limits on the bytes of a request, one way. */
class RequestPace implements Pace {
  readonly #held: Held;
  readonly #quotas: readonly Spent[];
  readonly #shapers: readonly Shaped[];
  readonly #turn: number;

  constructor(held: Held, quotas: readonly Spent[], shapers: readonly Shaped[]) {
    this.#held = held;
    this.#quotas = quotas;
    this.#shapers = shapers;
    this.#turn = Math.min(...shapers.map(({ shaper }) => shaper.turn));
  }

  /** A request begins. */
  begin(): void {
    for (const one of this.#shapers) one.noted = one.flow.over = false;
  }

  /** The request has ended: its flows need no turns. */
  end(): void {
    for (const { flow } of this.#shapers) flow.over = true;
  }

  /** See `Pace`. */
  next(count: number): number | Promise<number> {
    return this.#pass(0, Math.min(count, this.#turn));
  }

  /** Asks the limits from the given one on, the quotas first. */
  #pass(first: number, count: number): number | Promise<number> {
    const quotas = this.#quotas.length;
    let passing = count;
    for (let i = first; i < quotas + this.#shapers.length; i++) {
      const passed = i < quotas ? this.#spend(this.#quotas[i], passing) : this.#shape(i - quotas, passing);
      if (passed instanceof Promise) return passed.then((passed) => this.#pass(i + 1, passed));
      passing = passed;
    }
    return passing;
  }

  #spend(quota: Spent, count: number): number | Promise<number> {
    const drawn = quota.lease.draw(count);
    return drawn instanceof Promise
      ? drawn.then((drawn) => this.#spent(quota, drawn, count))
      : this.#spent(quota, drawn, count);
  }

  #spent({ limit, lease }: Spent, drawn: number, count: number): number {
    if (drawn > 0 && !limit.terms.shadow) return drawn;
    const fault = drawn > 0 ? undefined : this.#held.reach(limit, lease.wait);
    if (fault) throw fault;
    return count;
  }

  #shape(i: number, count: number): number | Promise<number> {
    const one = this.#shapers[i];
    const { limit, shaper, flow } = one;
    if (limit.terms.shadow && shaper.isEmpty && !one.noted) {
      one.noted = true;
      this.#held.reach(limit, 0);
    }
    const turn = shaper.take(flow, count);
    return turn ? turn.then(() => count) : count;
  }

  /** See `Pace`. */
  passes(count: number): boolean {
    return this.#quotas.every(({ limit, lease }) => {
      const drawn = lease.draw(count);
      if (drawn instanceof Promise) drawn.then((drawn) => lease.putBack(drawn), () => {});
      else if (drawn === count) return true;
      else lease.putBack(drawn);
      return !this.#held.reach(limit, lease.wait);
    }) && this.#shapers.every(({ limit, shaper }) => shaper.offer(count) || limit.terms.shadow);
  }
}
