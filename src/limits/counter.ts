/**
 * What a limit counts for one key, and who is told of it. Only types; nothing here runs.
 *
 * @module
 */

import type { LimitRule } from "../policy/rule.ts";
import type { Holding } from "./holding.ts";
import type { Lease } from "./lease.ts";
import type { Shaper } from "./shaper.ts";

/** Told of limits that are reached, in the shadow or not. */
export interface LimitObserver {
  reached(limit: LimitRule): void;
}

/** What a limit counts for one key. Which of them there are depends on its kind. */
export interface Counter {
  readonly holding?: Holding;
  readonly lease?: Lease;
  /** Whether it is a bandwidth, which only the bytes use up. */
  readonly shaped: boolean;
  readonly up?: Shaper;
  readonly down?: Shaper;
}

/** Where a request notes the limit that it has reached. */
export interface Noted {
  limit: string | undefined;
}
