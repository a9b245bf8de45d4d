/**
 * What requests use of the proxy that they belong to. Types and prose; nothing here runs.
 *
 * @module
 */

import type { PageFacts } from "../admin/facts.ts";
import type { DialingServices } from "../dialing/dialing.ts";
import type { Lifelines } from "../dialing/lifeline.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Recent } from "../observe/recent.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { Authenticate } from "../policy/authentication.ts";
import type { Settings } from "../settings/settings.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { LimitsInForce } from "../limits/limits_in_force.ts";
import type { OnTransition } from "./on_transition.ts";
import type { WatchServices } from "../traffic/watch.ts";
import type { UnfinishedHeads } from "./unfinished_heads.ts";

/** What the proxy provides to a request. */
export interface RequestServices extends DialingServices, WatchServices {
  readonly runtime: Pick<Runtime, "connectTls" | "dial" | "openDatagrams" | "ownAddresses">;
  readonly unfinishedHeads: UnfinishedHeads;
  /** The settings in force. A reload replaces them. */
  readonly settings: Settings;
  readonly lifelines: Lifelines;
  /** The limits. Undefined: there are none. */
  readonly limits: LimitsInForce | undefined;
  readonly authenticate: Authenticate | undefined;
  /** The users or tokens in force. Undefined if a callback judges, which is asked about each request. */
  readonly judges: object | undefined;
  /** The authentication scheme that HTTP clients use. */
  readonly scheme: "Basic" | "Bearer";
  /** The data of the proxy's own pages. */
  readonly facts: () => PageFacts;
  readonly metrics: Pick<Metrics, "add" | "shown">;
  readonly recent: Pick<Recent, "add">;
  /** Told of each record. Undefined: nobody wants it, and none is made. */
  readonly onRecord: ((record: AccessRecord) => void) | undefined;
  /** Told when a page of the proxy itself was shown. Such a request is not logged as traffic. */
  readonly onPage: ((record: AccessRecord) => void) | undefined;
  readonly onTransition: OnTransition | undefined;
  /**
   * Reserves room for the sockets of an association. Returns what releases it. Throws a `Fault` if there is no room.
   */
  readonly claimAssociation: () => () => void;
}
