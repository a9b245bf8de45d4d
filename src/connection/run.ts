/**
 * Runs a connection from accept to close: the steps of its table in `states.ts`, and what surrounds them.
 *
 * @module
 */

import { type At, Crash, drive, type Machine, type Moved } from "../driver.ts";
import { type FaultCode, toFault } from "../faults.ts";
import { serveNext } from "../request/request.ts";
import { eventOf, RESET } from "../request/step.ts";
import { CONNECTION_DEADLINES, type ConnectionState, isLast, nextOfConnection } from "../states.ts";
import { ARRIVING } from "./arriving.ts";
import { CLOSING } from "./closing.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionSteps, Outcome } from "./step.ts";

const STEPS: ConnectionSteps = {
  ...ARRIVING,
  ...CLOSING,

  /**
   * Every protocol so far sends its requests one after another. One that sends many at once runs them here side by
   * side, each with a requester of its own, and comes back when the last is over.
   */
  serving(connection, { protocol }) {
    return serveNext(connection, protocol) as Outcome<"serving"> | Promise<Outcome<"serving">>;
  },
};

/** What it means when a state's deadline passes. */
const LATE: FaultCode = "client_timeout";

const CONNECTIONS: Machine<Connection, ConnectionState> = {
  isLast,

  enter(connection, state) {
    const deadline = CONNECTION_DEADLINES[state];
    if (deadline) connection.enter(deadline, LATE);
  },

  step(connection, state, payload) {
    const step = STEPS[state as keyof ConnectionSteps] as (
      connection: Connection,
      here: unknown,
    ) => Moved | Promise<Moved>;
    return step(connection, payload);
  },

  interrupted({ services: { log }, id }, error, { state }) {
    const fault = toFault(error, "client");
    if (fault.code === "proxy_internal_error") log.error(`${id}: ${fault.message}`, error);
    else log.debug(`${id}: ${state}: ${fault.message}`, error);
    return { event: eventOf(fault), payload: RESET };
  },

  next({ services, id }, { state }: At<ConnectionState>, { event }) {
    const to = nextOfConnection(state, event);
    services.onTransition?.({ id, from: state, event, to });
    return to;
  },
};

/** Drives the table until the connection is closed. Rejects for a bug alone, of ours or in `onTransition`. */
export async function runConnection(connection: Connection): Promise<void> {
  try {
    await drive(CONNECTIONS, connection, { state: connection.firstState, payload: {} });
  } catch (error) {
    const bug = error instanceof Crash ? error.cause : error;
    connection.client.cut(toFault(bug));
    throw bug;
  } finally {
    connection.end();
  }
}
