/**
 * Tokens of a rate or a quota that were taken from the store in advance.
 *
 * @module
 */

import type { Allowance } from "../policy/limit_amount.ts";
import type { Desk } from "./desk.ts";
import type { Ask, Grant } from "./store.ts";

/** A lease is the tokens of this time, in milliseconds, and at most this part of the whole. */
const LEASE_TIME = 50;
const LEASE_PART = 100;

/** While the store has nothing left, it is asked again after this time at the latest: others may give tokens back. */
const ASK_AGAIN = 1_000;

/** Whose tokens they are. */
export type Whose = Pick<Ask, "limit" | "key" | "allowance">;

/** How many tokens a lease has. */
function leaseOf(allowance: Allowance): number {
  const part = Math.floor(allowance.most / LEASE_PART);
  if (allowance.kind === "rate") {
    return Math.max(1, Math.min(part, Math.floor(allowance.most * LEASE_TIME / allowance.time)));
  }
  return Math.max(1, part);
}

/** The tokens that one limit has for one key, in this process. */
export class Lease {
  readonly #whose: Whose;
  readonly #desk: Desk;
  readonly #size: number;
  #balance = 0;
  /** When the tokens are void: a quota's window ends. */
  #expires = Infinity;
  /** Until when the store has nothing, and until when it is not asked. */
  #noneUntil = -Infinity;
  #quietUntil = -Infinity;
  #asking: Promise<void> | undefined;
  #usedAt = -Infinity;

  constructor(whose: Whose, desk: Desk) {
    this.#whose = whose;
    this.#desk = desk;
    this.#size = leaseOf(whose.allowance);
  }

  /** Milliseconds until it is worth trying again, after nothing could be drawn. */
  get wait(): number {
    return Math.max(0, this.#noneUntil - this.#desk.clock.now());
  }

  /** Takes up to `count` tokens, at least one, and returns how many it took; 0 if there are none. */
  draw(count: number): number | Promise<number> {
    const now = this.#usedAt = this.#desk.clock.now();
    if (now >= this.#expires) this.#balance = 0;
    if (this.#desk.far ? this.#balance > 0 : this.#balance >= count) {
      const drawn = Math.min(count, this.#balance);
      this.#balance -= drawn;
      if (this.#desk.far && this.#balance < this.#size / 2) this.#askAhead(now);
      return drawn;
    }
    if (now < this.#quietUntil) return 0;
    const asked = this.#ask(count);
    return asked ? asked.then(() => this.#drawRest(count)) : this.#drawRest(count);
  }

  #drawRest(count: number): number {
    const drawn = Math.min(count, this.#balance);
    this.#balance -= drawn;
    return drawn;
  }

  /** Puts drawn tokens back: what they were for was refused by another limit. */
  putBack(count: number): void {
    this.#balance += count;
  }

  #askAhead(now: number): void {
    if (!this.#asking && now >= this.#quietUntil) this.#ask(1)?.catch(() => {});
  }

  #ask(count: number): Promise<void> | undefined {
    if (this.#asking) return this.#asking;
    const granted = this.#desk.ask({ ...this.#whose, want: Math.max(count - this.#balance, this.#size) });
    if (!(granted instanceof Promise)) return this.#take(granted);
    return this.#asking = granted.then((grant) => this.#take(grant)).finally(() => this.#asking = undefined);
  }

  #take({ granted, wait }: Grant): undefined {
    const now = this.#desk.clock.now();
    if (this.#whose.allowance.kind === "quota") {
      if (now >= this.#expires) this.#balance = 0;
      this.#expires = now + wait;
    }
    this.#balance += granted;
    if (granted > 0) return;
    this.#noneUntil = now + wait;
    this.#quietUntil = now + (this.#desk.far ? Math.min(wait, ASK_AGAIN) : 0);
  }

  /** Gives back what has not been used for a while. Returns whether nothing is left here to remember. */
  settle(idleSince: number): boolean {
    if (this.#asking || this.#usedAt > idleSince) return false;
    if (this.#balance > 0) {
      const back = this.#desk.clock.now() < this.#expires ? this.#balance : 0;
      const given = this.#desk.ask({ ...this.#whose, want: 0, back });
      if (given instanceof Promise) given.catch(() => {});
    }
    this.#balance = 0;
    return true;
  }
}
