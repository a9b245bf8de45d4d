/**
 * What a connection is given by the proxy that it belongs to. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Authenticate } from "../policy/authentication.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Deadlines } from "../runtime/deadlines.ts";
import type { Log } from "../observe/log.ts";
import type { Rules } from "../policy/rules.ts";
import type { Fault } from "../faults.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { OwnAddresses } from "../policy/own_addresses.ts";
import type { PageFacts } from "../admin/pages.ts";
import type { ForwardedMode } from "../settings/http.ts";
import type { Address, Runtime } from "../runtime/contract.ts";
import type { SecretFiles } from "../text/secret_files.ts";
import type { Limits } from "../settings/limits.ts";
import type { Timeouts } from "../settings/timeouts.ts";
import type { Reached } from "../dialing/dialing.ts";
import type { Failover } from "../dialing/failover.ts";
import type { Lifelines } from "../dialing/lifeline.ts";
import type { OriginPool } from "../dialing/pool.ts";
import type { Reserve } from "../dialing/reserve.ts";
import type { Router } from "../dialing/router.ts";
import type { Resolver } from "../dialing/resolver.ts";
import type { OnTransition } from "./on_transition.ts";
import type { UnfinishedHeads } from "./unfinished_heads.ts";

/** The proxy's side of a connection. */
export interface Services {
  readonly runtime: Pick<Runtime, "acceptTls" | "connectTls" | "dial" | "openDatagrams">;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  readonly unfinishedHeads: UnfinishedHeads;
  /** The token that names this deployment in Via and Proxy-Status. */
  readonly name: string;
  /** Whom a client may ask that was refused. */
  readonly contact: string | undefined;
  /** What becomes of Forwarded and X-Forwarded-For. */
  readonly forwarded: ForwardedMode;
  readonly log: Log;
  readonly pool: OriginPool<Reached>;
  readonly router: Router;
  readonly failover: Failover;
  readonly reserve: Reserve;
  readonly lifelines: Lifelines;
  readonly secrets: SecretFiles;
  readonly authenticate: Authenticate | undefined;
  /** How HTTP clients say who they are. */
  readonly scheme: "Basic" | "Bearer";
  /** Whether strangers are to take the proxy for a web server. */
  readonly disguised: boolean;
  /** What the proxy's own pages tell. */
  readonly facts: () => PageFacts;
  readonly onRecord: (record: AccessRecord) => void;
  /** Told of the proxy's own pages that were shown, which are nothing that a client did through the proxy. */
  readonly onPage: ((record: AccessRecord) => void) | undefined;
  readonly onTransition: OnTransition | undefined;
  /** Who may go where. */
  readonly rules: () => Rules;
  /** Why a client from an address is not served at all; undefined where it is. */
  readonly refuseClient: (client: Address) => Fault | undefined;
  /** Makes room for the sockets of an association until it is released; throws a `Fault` where there is none. */
  readonly claimAssociation: () => () => void;
  /** Whether addresses beyond the public internet may be dialed. */
  readonly privateDestinations: "allow" | "deny";
  /** This machine's own, which are private to it. */
  readonly ownAddresses: OwnAddresses;
  /** Where the proxy itself listens. */
  readonly listening: () => readonly Address[];
}
