/**
 * The types of a connection's steps, and the payload of each state.
 *
 * @module
 */

import type { Nested, Resume, Step } from "../driver.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { ConnectionOutcome, ConnectionState } from "../states.ts";
import type { Connection } from "./connection.ts";

/** The payload of each state. */
export interface ConnectionPayloads extends Record<ConnectionState, unknown> {
  introducing: Nothing;
  securing: Nothing;
  detecting: Nothing;
  serving: { protocol: Protocol };
  closing: { manner: "graceful" | "reset" };
  closed: Nothing;
}

type Nothing = Record<never, never>;

/** The outcome of a state's step. */
export type Outcome<S extends ConnectionState> = ConnectionOutcome<S, ConnectionPayloads>;

/**
 * A step for every state but the last. A step may return its outcome at once or as a promise, or tell `resume` later. An
 * illegal event does not compile. The step of `serving` returns requests to drive; the last state of a request is the event.
 */
export type ConnectionSteps = {
  readonly [S in Exclude<ConnectionState, "closed">]: (
    connection: Connection,
    here: ConnectionPayloads[S],
    resume: Resume<Outcome<S>>,
  ) => S extends "serving" ? Nested : Step<Outcome<S>>;
};
