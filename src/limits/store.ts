/**
 * Where the counts of limits are kept: in this process, in the one that started the workers, or in a shared store.
 *
 * Whoever serves requests takes tokens in advance, a lease, so that no request waits for a store that is far away.
 * Types and prose; nothing here runs.
 *
 * @module
 */

import type { Allowance } from "../policy/limit_amount.ts";

/** A question to a store about one count. */
export interface Ask {
  /** The text of the limit. */
  readonly limit: string;
  /** Whose count it is: a user, a client's source or a target. Empty if all share one. */
  readonly key: string;
  /** What the limit allows. */
  readonly allowance: Allowance;
  /**
   * How many tokens are wanted. Of connections: how many the asker would have together, which may be fewer than before.
   */
  readonly want: number;
  /** Tokens that were taken and not used. */
  readonly back?: number;
}

/** The answer. */
export interface Grant {
  /** How many tokens were granted. Of connections: how many the asker may have together. */
  readonly granted: number;
  /**
   * Milliseconds. Of bandwidth: until the tokens may be used. Of a rate: until there is another token. Of a quota: until
   * its window ends, and the tokens with it.
   */
  readonly wait: number;
}

/** Keeps counts. */
export interface LimitStore {
  /** Answers questions in their order. `asker` owns the connections; nobody has two of its kind. */
  ask(asks: readonly Ask[], asker: string): readonly Grant[] | Promise<readonly Grant[]>;
  /** An asker has ended, and with it all its connections. */
  forget(asker: string): void;
}
