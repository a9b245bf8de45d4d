/**
 * What the proxy's own pages tell.
 *
 * @module
 */

import type { ListenerScheme } from "../listeners/endpoint.ts";
import type { Totals } from "../observe/metrics.ts";
import type { Address } from "../runtime/contract.ts";

/** What the pages tell. */
export interface PageFacts {
  readonly version: string;
  /** The token that names this deployment. */
  readonly name: string;
  readonly totals: Totals;
  readonly draining: boolean;
  /** Where clients of the proxy connect. */
  readonly listeners: readonly Listening[];
}

/** A listener as the pages show it. */
export interface Listening {
  readonly address: Address;
  readonly tls: boolean;
  readonly scheme: ListenerScheme;
}
