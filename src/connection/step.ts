/**
 * What the steps of a connection are: the payload that each state is entered with.
 *
 * @module
 */

import type { Nested } from "../driver.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { ConnectionOutcome, ConnectionState } from "../states.ts";
import type { Connection } from "./connection.ts";

/** What each state is entered with. */
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
 * A step for every state but the last. It may have its outcome at once; an illegal event does not compile. That of
 * `serving` is the last state of a request.
 */
export type ConnectionSteps = {
  readonly [S in Exclude<ConnectionState, "closed">]: (
    connection: Connection,
    here: ConnectionPayloads[S],
  ) => (S extends "serving" ? Nested : Outcome<S>) | Promise<Outcome<S>>;
};
