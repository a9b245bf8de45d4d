/**
 * What steps are: the payload that each state is entered with, and what several of them begin or end with.
 *
 * @module
 */

import type { Association } from "../traffic/association.ts";
import type { Reached } from "../dialing/dialing.ts";
import { FAULTS } from "../fault_table.ts";
import type { Fault } from "../faults.ts";
import type { Recording } from "../observe/recording.ts";
import { type Protocol, PROTOCOLS } from "../protocols/client_protocols.ts";
import type {
  AssociationRequest,
  Credentials,
  ExchangeRequest,
  Handshake,
  OwnRequest,
  ProxyRequest,
  TunnelRequest,
} from "../protocols/common/handshake.ts";
import type { Session } from "./session.ts";
import type { FROM_ANY, Outcome, State } from "../states.ts";

/** What each state is entered with. */
export interface Payloads extends Record<State, unknown> {
  introducing: Record<never, never>;
  securing: Record<never, never>;
  detecting: Record<never, never>;
  handshaking: { handshake: Handshake<Protocol>; user: string | undefined };
  authenticating: { handshake: Handshake<Protocol>; credentials: Credentials | undefined };
  authorizing: Task & { request: ProxyRequest };
  dialing: Task & {
    request: TunnelRequest | AssociationRequest | ExchangeRequest;
    attempt: "first" | "second";
  };
  exchanging: Task & { origin: Origin };
  relaying: { recording: Recording; reached: Reached; reply: Uint8Array };
  associating: { recording: Recording; association: Association; reply: Uint8Array };
  refusing: Task & { fault: Fault };
  closing: { manner: "graceful" | "reset" };
  closed: Record<never, never>;
}

/** A request on its way, and what is recorded of it. */
export interface Task {
  readonly handshake: Handshake<Protocol>;
  readonly recording: Recording;
}

/** Who answers an HTTP request: a server at the end of a channel, or the proxy itself. */
export type Origin =
  | {
    readonly kind: "server";
    readonly reached: Reached;
    readonly kept: boolean;
    readonly request: ExchangeRequest;
  }
  | { readonly kind: "self"; readonly request: OwnRequest };

/** A step for every state, which may have its outcome at once; one that returns an illegal event does not compile. */
export type Steps = {
  readonly [S in State]: (
    session: Session,
    here: Payloads[S],
  ) => Outcome<S, Payloads> | Promise<Outcome<S, Payloads>>;
};

/** The payload of a close that lets the last bytes arrive. */
export const GRACEFUL = { manner: "graceful" } as const;

/** The payload of a close that tells the peer that something broke. */
export const RESET = { manner: "reset" } as const;

/** What `handshaking` begins with: a codec for one request. */
export function freshHandshake(session: Session, protocol: Protocol): Payloads["handshaking"] {
  return { handshake: new PROTOCOLS[protocol].Handshake(session.terms), user: undefined };
}

/** The event of an exchange after which the client may send another request. */
export function reusable(session: Session): { event: "reusable"; payload: Payloads["handshaking"] } {
  return { event: "reusable", payload: freshHandshake(session, "http") };
}

/** Which of the events that may happen anywhere a fault is. */
export function eventOf({ code }: Fault): keyof typeof FROM_ANY {
  if (FAULTS[code].late) return "timedOut";
  return code === "client_disconnected" || code === "proxy_shutdown" ? "aborted" : "failed";
}

/** The event of a request whose answer was delivered although a fault broke it off: the client may take it all in. */
export function brokenOff(
  recording: Recording,
  fault: Fault,
): { event: keyof typeof FROM_ANY; payload: typeof GRACEFUL } {
  recording.fault ??= fault;
  return { event: eventOf(fault), payload: GRACEFUL };
}
