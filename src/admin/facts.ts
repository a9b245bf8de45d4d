/**
 * What the proxy's own pages tell.
 *
 * @module
 */

import type { CertificateFacts } from "../tls/certificate_files.ts";
import type { ListenerScheme } from "../listeners/endpoint.ts";
import type { LiveConnection, Selection } from "../observe/live.ts";
import type { RecentView } from "../observe/recent.ts";
import type { Totals } from "../observe/metrics.ts";
import type { Tokens } from "../policy/tokens.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Address } from "../runtime/contract.ts";

/** What the pages tell. */
export interface PageFacts {
  readonly version: string;
  /** The token that names this deployment. */
  readonly name: string;
  readonly totals: Totals;
  readonly draining: boolean;
  /** Whether there are as many connections as the limit allows, so that further ones are refused. */
  readonly full: boolean;
  /** The connections that are open now, over all workers. */
  readonly live: () => Promise<readonly LiveConnection[]>;
  /** What has happened lately, over all workers. */
  readonly recent: () => Promise<RecentView>;
  /** The certificates of all listeners. */
  readonly certificates: () => readonly (CertificateFacts & { readonly address: Address })[];
  /** Cuts connections, over all workers. Returns how many. */
  readonly cut: (selection: Selection) => Promise<number>;
  /** Reads everything anew that can be, over all workers. Rejects if nothing was changed. Undefined: there is nothing to read. */
  readonly reload: (() => Promise<void>) | undefined;
  /** Judges the token that lets somebody change things; undefined if nobody may. */
  readonly adminToken: Pick<Tokens, "verify"> | undefined;
  /** The facts as they are now, for pages that go on. */
  readonly again: () => PageFacts;
  readonly clock: Clock;
  /** Where clients of the proxy connect. */
  readonly listeners: readonly Listening[];
}

/** A listener as the pages show it. */
export interface Listening {
  readonly address: Address;
  readonly tls: boolean;
  readonly scheme: ListenerScheme;
}
