/**
 * The connections that one limit has for one key, in this process.
 *
 * @module
 */

import type { Desk } from "./desk.ts";
import type { Whose } from "./lease.ts";
import type { Grant } from "./store.ts";

/** How many places more than needed are taken from a near store at once. */
const AHEAD = 16;

/** How long a place that is free again stays here before a far store learns of it, in milliseconds. */
const KEEP = 50;

/** Counts requests under way. */
export class Holding {
  readonly #whose: Whose;
  readonly #desk: Desk;
  /** How many are under way, and how many the store allows. */
  #taken = 0;
  #allowed = 0;
  /** Those that wait for the store's answer. */
  #waiting: ((taken: boolean) => void)[] = [];
  #asking = false;
  #returning = false;

  constructor(whose: Whose, desk: Desk) {
    this.#whose = whose;
    this.#desk = desk;
  }

  /** Takes a place; false if none is left. */
  take(): boolean | Promise<boolean> {
    if (this.#taken < this.#allowed && this.#waiting.length === 0) {
      this.#taken++;
      return true;
    }
    if (!this.#desk.far) {
      this.#allowed = this.#near(this.#taken + AHEAD);
      return this.#taken < this.#allowed && ++this.#taken > 0;
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#ask();
    });
  }

  /** Gives a place back. */
  give(): void {
    this.#taken--;
    // Nobody else uses a near store, so the place stays.
    if (!this.#desk.far || this.#returning) return;
    this.#returning = true;
    this.#desk.clock.schedule(KEEP, () => {
      this.#returning = false;
      if (this.#taken < this.#allowed) this.#ask();
    });
  }

  #near(want: number): number {
    return (this.#desk.ask({ ...this.#whose, want }) as Grant).granted;
  }

  /** Gives all places back, if nothing is under way. Returns whether there is nothing to remember. */
  settle(): boolean {
    if (this.#taken > 0 || this.#asking) return false;
    if (!this.#desk.far && this.#allowed > 0) this.#allowed = this.#near(0);
    return this.#allowed === 0;
  }

  /** Tells the store how many are under way and wanted. One question at a time, so that answers come in order. */
  #ask(): void {
    if (this.#asking) return;
    this.#asking = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    const want = this.#taken + waiting.length;
    Promise.resolve(this.#desk.ask({ ...this.#whose, want })).then(
      ({ granted }) => this.#answered(granted, waiting),
      () => this.#answered(this.#taken, waiting),
    );
  }

  #answered(granted: number, waiting: readonly ((taken: boolean) => void)[]): void {
    this.#asking = false;
    this.#allowed = granted;
    for (const resolve of waiting) {
      const taken = this.#taken < this.#allowed;
      if (taken) this.#taken++;
      resolve(taken);
    }
    if (this.#waiting.length > 0) this.#ask();
  }
}
