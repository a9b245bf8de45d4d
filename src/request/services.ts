/**
 * What requests work with, given by the proxy that they belong to. Types and prose; nothing here runs.
 *
 * @module
 */

import type { PageFacts } from "../admin/facts.ts";
import type { DialingServices } from "../dialing/dialing.ts";
import type { Lifelines } from "../dialing/lifeline.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { Authenticate } from "../policy/authentication.ts";
import type { Settings } from "../settings/settings.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { OnTransition } from "./on_transition.ts";
import type { WatchServices } from "../traffic/watch.ts";
import type { UnfinishedHeads } from "./unfinished_heads.ts";

/** The proxy's side of a request. */
export interface RequestServices extends DialingServices, WatchServices {
  readonly runtime: Pick<Runtime, "connectTls" | "dial" | "openDatagrams">;
  readonly unfinishedHeads: UnfinishedHeads;
  /** What is in force: a reload puts another in its place. */
  readonly settings: Settings;
  readonly lifelines: Lifelines;
  readonly authenticate: Authenticate | undefined;
  /** How HTTP clients say who they are. */
  readonly scheme: "Basic" | "Bearer";
  /** What the proxy's own pages tell. */
  readonly facts: () => PageFacts;
  readonly onRecord: (record: AccessRecord) => void;
  /** Told of the proxy's own pages that were shown, which are nothing that a client did through the proxy. */
  readonly onPage: ((record: AccessRecord) => void) | undefined;
  readonly onTransition: OnTransition | undefined;
  /** Makes room for the sockets of an association until it is released; throws a `Fault` where there is none. */
  readonly claimAssociation: () => () => void;
}
