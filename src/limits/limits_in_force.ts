/**
 * The limits in force: which of them a request meets, and what it may use of them.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import { countsBytes, type Way } from "../policy/limit_amount.ts";
import type { LimitRule } from "../policy/rule.ts";
import { RuleIndex } from "../policy/rule_index.ts";
import type { RuleRequest, Subject } from "../policy/rule_request.ts";
import { namedSubject } from "../policy/rules.ts";
import { sourceOfHost } from "../policy/sources.ts";
import type { Counter, LimitObserver, Noted } from "./counter.ts";
import type { Desk } from "./desk.ts";
import { Held } from "./held.ts";
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
  #cancelSettling: (() => void) | undefined;

  constructor(desk: Desk, observer: LimitObserver) {
    this.#desk = desk;
    this.#observer = observer;
  }

  /** Replaces the limits. */
  use(rules: readonly LimitRule[]): void {
    const limits = new Map<string, Limit>();
    for (const rule of rules) {
      if (!limits.has(rule.text)) {
        limits.set(rule.text, new Limit(rule, this.#desk, this.#limits.get(rule.text)?.counters));
      }
    }
    this.#limits = limits;
    this.#index = new RuleIndex([...limits.values()]);
    if (this.#desk.far && limits.size > 0) this.#settleLater();
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.#index.size > 0;
  }

  /**
   * Counts a request in. Returns the fault that refuses it; or what it holds until it is released; or undefined if no limit
   * is about it. A promise if a store elsewhere has to be asked.
   */
  admit(question: RuleRequest, noted: Noted): Admission | Promise<Admission> {
    const subject = namedSubject(question);
    const limits = this.#index.all(subject);
    if (limits.length === 0) return undefined;
    const held = new Held(this.#desk.clock, this.#observer, noted);
    return this.#admit(0, { limits, held, question, subject });
  }

  #admit(first: number, asked: Asked): Admission | Promise<Admission> {
    const { limits, held } = asked;
    for (let i = first; i < limits.length; i++) {
      const refused = limits[i].enter(asked);
      if (refused instanceof Promise) {
        return refused.then((refused) => refused ? this.#refuse(refused, held) : this.#admit(i + 1, asked));
      }
      if (refused) return this.#refuse(refused, held);
    }
    return held;
  }

  #refuse(fault: Fault, held: Held): Fault {
    held.withdraw();
    return fault;
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

/** The answer to a request: see {@link LimitsInForce.admit}. */
export type Admission = Fault | Held | undefined;

interface Asked {
  readonly limits: readonly Limit[];
  readonly held: Held;
  readonly question: RuleRequest;
  readonly subject: Subject;
}

/** A limit and its counters. */
class Limit {
  readonly rule: LimitRule;
  readonly counters: Map<string, Counter>;
  readonly #desk: Desk;

  constructor(rule: LimitRule, desk: Desk, counters = new Map<string, Counter>()) {
    this.rule = rule;
    this.counters = counters;
    this.#desk = desk;
  }

  get match(): LimitRule["match"] {
    return this.rule.match;
  }

  /** Counts a request in, or says why not. */
  enter({ held, question, subject }: Asked): Fault | undefined | Promise<Fault | undefined> {
    const counter = this.#counterOf(this.#keyOf(question, subject));
    const { holding, lease } = counter;
    const { rule } = this;
    if (holding) {
      const enter = (taken: boolean) => taken ? held.hold(holding) : held.reach(rule, NO_TIME);
      const taken = holding.take();
      return taken instanceof Promise ? taken.then(enter) : enter(taken);
    }
    if (lease) {
      const ofBytes = countsBytes(rule.terms.allowance);
      const enter = (drawn: number) => {
        if (drawn === 0) return held.reach(rule, lease.wait);
        if (ofBytes) lease.putBack(drawn);
        else held.draw(lease);
      };
      if (ofBytes) held.spend(rule, lease);
      const drawn = lease.draw(1);
      return drawn instanceof Promise ? drawn.then(enter) : enter(drawn);
    }
    held.shape(rule, counter);
    return undefined;
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
    if (allowance.kind === "connections") return { holding: new Holding(whose, this.#desk) };
    if (allowance.kind !== "bandwidth") return { lease: new Lease(whose, this.#desk) };
    const shaper = (one: Way) =>
      way === undefined || way === one
        ? new Shaper({ ...whose, key: `${key} ${one}` }, this.#desk, { shadow })
        : undefined;
    return { up: shaper("up"), down: shaper("down") };
  }

  /** Forgets one of the oldest counters, if it is idle. Those that are not become the youngest. */
  #makeRoom(): boolean {
    for (const [key, counter] of firstOf(this.counters, LOOKS)) {
      this.counters.delete(key);
      if (isIdle(counter, this.#desk.clock.now())) return true;
      this.counters.set(key, counter);
    }
    return false;
  }

  /** Forgets what is idle, and gives its tokens back. */
  settle(since = this.#desk.clock.now() - SETTLE_INTERVAL): void {
    for (const [key, counter] of this.counters) if (isIdle(counter, since)) this.counters.delete(key);
  }
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) if (first.push(item) === count) break;
  return first;
}

/** Whether nothing has happened since a time. Unused tokens then go back to the store. */
function isIdle({ holding, lease, up, down }: Counter, since: number): boolean {
  if (holding) return holding.isIdle;
  if (lease) return lease.settle(since);
  return (up?.isIdle(since) ?? true) && (down?.isIdle(since) ?? true);
}

/** How many counters are looked at to make room for one. */
const LOOKS = 8;

/** When a connection ends is not known. Clients are told to come back in so many milliseconds. */
const NO_TIME = 5_000;
