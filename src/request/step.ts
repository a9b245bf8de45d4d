/**
 * The types of a request's steps, the payload of each state, and values that several steps share.
 *
 * @module
 */

import type { At, Resume, Step } from "../driver.ts";
import type { TargetConnection } from "../dialing/dialing.ts";
import { type Fault, toFault } from "../faults.ts";
import { FAULTS } from "../fault_table.ts";
import type { Recording } from "../observe/record.ts";
import type { RuleRequest } from "../policy/rule_request.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type {
  AssociationRequest,
  ExchangeRequest,
  Handshake,
  Login,
  OwnRequest,
  ProxyRequest,
  TunnelRequest,
} from "../protocols/common/handshake.ts";
import type { Interruption, RequestOutcome, RequestState } from "../states.ts";
import type { OpenAssociation } from "./datagrams.ts";
import type { Requester } from "./requester.ts";

/** The payload of each state. */
export interface RequestPayloads extends Record<RequestState, unknown> {
  reading: { handshake: Handshake<Protocol>; user: string | undefined };
  authenticating: { handshake: Handshake<Protocol>; login: Login };
  authorizing: Task & { request: ProxyRequest };
  dialing: Task & {
    request: TunnelRequest | AssociationRequest | ExchangeRequest;
    question: RuleRequest;
    attempt: "first" | "second";
  };
  exchanging: Task & { origin: Origin };
  relaying: { recording: Recording; target: TargetConnection; reply: Uint8Array };
  associating: { recording: Recording; open: OpenAssociation; reply: Uint8Array };
  refusing: Task & { fault: Fault };
  served: { protocol: Protocol };
  over: { manner: "graceful" };
  broken: { manner: "graceful" | "reset" };
}

/** A request in progress, and its record. */
export interface Task {
  readonly handshake: Handshake<Protocol>;
  readonly recording: Recording;
}

/** Who answers an HTTP request: a server at the end of a channel, or the proxy itself. */
export type Origin =
  | {
    readonly kind: "server";
    readonly target: TargetConnection;
    readonly kept: boolean;
    readonly request: ExchangeRequest;
    readonly question: RuleRequest;
  }
  | { readonly kind: "self"; readonly request: OwnRequest };

/** The outcome of a state's step. */
export type Outcome<S extends RequestState> = RequestOutcome<S, RequestPayloads>;

/**
 * A step for every state that has one. A step may return its outcome at once or as a promise, or tell `resume` later. An
 * illegal event does not compile.
 */
export type RequestSteps = {
  readonly [S in Exclude<RequestState, "served" | "over" | "broken">]: (
    requester: Requester,
    here: RequestPayloads[S],
    resume: Resume<Outcome<S>>,
  ) => Step<Outcome<S>>;
};

/** The payload of a close that lets the last bytes arrive. */
export const GRACEFUL = { manner: "graceful" } as const;

/** The payload of a close that tells the peer that something broke. */
export const RESET = { manner: "reset" } as const;

/** The payload after which an HTTP client may send another request. */
export const HTTP_AGAIN = { protocol: "http" } as const;

/**
 * Logs the error of a step, of a request or of its connection, and gives the fault and the event for it. A bug of the
 * proxy is logged as an error, and all else at the level debug.
 */
export function interruption(
  { subject: { services: { log }, id }, state }: At<Pick<Requester, "services" | "id">>,
  error: unknown,
): { readonly fault: Fault; readonly moved: { event: Interruption; payload: typeof RESET } } {
  const fault = toFault(error, "client");
  if (fault.code === "proxy_internal_error") log.error(`${id}: ${fault.message}`, error);
  else log.debug(`${id}: ${state}: ${fault.message}`, error);
  return { fault, moved: { event: eventOf(fault), payload: RESET } };
}

function eventOf({ code }: Fault): Interruption {
  if (FAULTS[code].late) return "timedOut";
  return code === "client_disconnected" || code === "proxy_shutdown" || code === "connection_closed"
    ? "aborted"
    : "failed";
}

/**
 * The event if a fault broke the request off after its answer was delivered: the client may read the answer to the end.
 */
export function brokenOff(
  recording: Recording,
  fault: Fault,
): { event: Interruption; payload: typeof GRACEFUL } {
  recording.fault ??= fault;
  return { event: eventOf(fault), payload: GRACEFUL };
}
