/**
 * The limits in force: which of them a request meets, and what it may use of them.
 *
 * @module
 */

import type { Way } from "../policy/limit_amount.ts";
import type { LimitRule } from "../policy/rule.ts";
import { RuleIndex } from "../policy/rule_index.ts";
import type { RuleRequest, Subject } from "../policy/rule_request.ts";
import { namedSubject } from "../policy/rules.ts";
import { sourceOfHost } from "../policy/sources.ts";
import type { Counter, LimitObserver } from "./counter.ts";
import type { Desk } from "./desk.ts";
import { Held, type Met } from "./held.ts";
import { Holding } from "./holding.ts";
import { Lease, type Whose } from "./lease.ts";
import { Shaper } from "./shaper.ts";

/** How many keys of one limit are remembered here. Beyond it, new ones share one count until others are idle. */
const MAX_KEYS = 10_000;

/** How often unused tokens go back to a far store, and how long they must have been unused, in milliseconds. */
const SETTLE_INTERVAL = 1_000;

/** The key that new ones share while there are too many. */
const OTHERS = "\n";

/** The limits of a proxy. Their counts stay over a reload, for each limit whose text stays. */
export class LimitsInForce {
  readonly #desk: Desk;
  readonly #observer: LimitObserver;
  #limits = new Map<string, Limit>();
  #index = new RuleIndex<Limit>([]);
  /** What requests hold. A reload, and each counter that is forgotten, makes them be matched again. */
  #valid = new WeakSet<Held>();
  #cancelSettling: (() => void) | undefined;

  constructor(desk: Desk, observer: LimitObserver) {
    this.#desk = desk;
    this.#observer = observer;
  }

  readonly #onForgotten = (): void => {
    this.#valid = new WeakSet();
  };

  /** Replaces the limits. */
  use(rules: readonly LimitRule[]): void {
    const limits = new Map<string, Limit>();
    for (const rule of rules) {
      if (!limits.has(rule.text)) {
        limits.set(
          rule.text,
          new Limit(rule, {
            desk: this.#desk,
            onForgotten: this.#onForgotten,
            counters: this.#limits.get(rule.text)?.counters,
          }),
        );
      }
    }
    this.#limits = limits;
    this.#onForgotten();
    this.#index = new RuleIndex([...limits.values()]);
    if (this.#desk.far && limits.size > 0) this.#settleLater();
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.#index.size > 0;
  }

  /** What a request holds of the limits that it meets; `last` if that is the same as for the request before. */
  meet(question: RuleRequest, last: Held | undefined): Held {
    if (last && this.#valid.has(last) && last.isFor(question)) return last;
    const subject = namedSubject(question);
    const met = this.#index.all(subject).map((limit) => limit.meet(question, subject));
    const held = new Held(met, { clock: this.#desk.clock, observer: this.#observer, question });
    this.#valid.add(held);
    return held;
  }

  #settleLater(): void {
    this.#cancelSettling?.();
    this.#cancelSettling = this.#desk.clock.schedule(SETTLE_INTERVAL, () => {
      for (const limit of this.#limits.values()) limit.settle();
      if (this.any) this.#settleLater();
    });
  }

  /** Gives unused tokens back. */
  close(): void {
    this.#cancelSettling?.();
    for (const limit of this.#limits.values()) limit.settle(Infinity);
  }
}

interface LimitOptions {
  readonly desk: Desk;
  /** Told when a counter is forgotten. */
  readonly onForgotten: () => void;
  readonly counters?: Map<string, Counter>;
}

/** A limit and its counters. */
class Limit {
  readonly rule: LimitRule;
  readonly counters: Map<string, Counter>;
  readonly #desk: Desk;
  readonly #onForgotten: () => void;

  constructor(rule: LimitRule, { desk, onForgotten, counters = new Map<string, Counter>() }: LimitOptions) {
    this.rule = rule;
    this.counters = counters;
    this.#desk = desk;
    this.#onForgotten = onForgotten;
  }

  get match(): LimitRule["match"] {
    return this.rule.match;
  }

  meet(question: RuleRequest, subject: Subject): Met {
    return { limit: this.rule, counter: this.#counterOf(this.#keyOf(question, subject)) };
  }

  #keyOf(question: RuleRequest, { name }: Subject): string {
    switch (this.rule.terms.per) {
      case undefined:
        return "";
      case "user":
        return question.user ?? "";
      case "client":
        return question.client === undefined ? "unix:" : sourceOfHost(question.client);
      case "target":
        return name;
    }
  }

  #counterOf(key: string): Counter {
    const known = this.counters.get(key);
    if (known) return known;
    if (this.counters.size >= MAX_KEYS && key !== OTHERS && !this.#makeRoom()) return this.#counterOf(OTHERS);
    const counter = this.#count(key);
    this.counters.set(key, counter);
    return counter;
  }

  #count(key: string): Counter {
    const { text, terms: { allowance, way, shadow } } = this.rule;
    const whose: Whose = { limit: text, key, allowance };
    if (allowance.kind === "connections") return { holding: new Holding(whose, this.#desk), shaped: false };
    if (allowance.kind !== "bandwidth") return { lease: new Lease(whose, this.#desk), shaped: false };
    const shaper = (one: Way) =>
      way === undefined || way === one
        ? new Shaper({ ...whose, key: `${key} ${one}` }, this.#desk, { shadow })
        : undefined;
    return { up: shaper("up"), down: shaper("down"), shaped: true };
  }

  /** Forgets one of the oldest counters, if it is idle. Those that are not become the youngest. */
  #makeRoom(): boolean {
    for (const [key, counter] of firstOf(this.counters, LOOKS)) {
      this.counters.delete(key);
      if (isIdle(counter, this.#desk.clock.now())) {
        this.#onForgotten();
        return true;
      }
      this.counters.set(key, counter);
    }
    return false;
  }

  /** Forgets what is idle, and gives its tokens back. */
  settle(since = this.#desk.clock.now() - SETTLE_INTERVAL): void {
    for (const [key, counter] of this.counters) {
      if (!isIdle(counter, since)) continue;
      this.counters.delete(key);
      this.#onForgotten();
    }
  }
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) if (first.push(item) === count) break;
  return first;
}

/** Whether nothing has happened since a time. Unused tokens then go back to the store. */
function isIdle({ holding, lease, up, down }: Counter, since: number): boolean {
  if (holding) return holding.settle();
  if (lease) return lease.settle(since);
  return (up?.isIdle(since) ?? true) && (down?.isIdle(since) ?? true);
}

/** How many counters are looked at to make room for one. */
const LOOKS = 8;
