/**
 * Runs a connection from accept to close: the steps of its table in `states.ts`, and what surrounds them.
 *
 * @module
 */

import { drive, type Machine, type Moved, type Nested } from "../driver.ts";
import { type FaultCode, toFault } from "../faults.ts";
import { nextRequest } from "../request/request.ts";
import { eventOf, RESET } from "../request/step.ts";
import { CONNECTION_DEADLINES, type ConnectionState, isLast, nextOfConnection } from "../states.ts";
import { ARRIVING } from "./arriving.ts";
import { CLOSING } from "./closing.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionSteps } from "./step.ts";

const STEPS: ConnectionSteps = {
  ...ARRIVING,
  ...CLOSING,

  /**
   * Every protocol so far sends its requests one after another. One that sends many at once would drive them side by
   * side here, each with a requester of its own, and come to an event when the last is over.
   */
  serving(connection, { protocol }) {
    return nextRequest(connection, protocol);
  },
};

/** What it means when a state's deadline passes. */
const LATE: FaultCode = "client_timeout";

/** Any of the steps. The table has seen to it that the payload is the state's. */
type Step = (connection: Connection, here: unknown) => Moved | Nested | Promise<Moved>;

const CONNECTIONS: Machine<Connection, ConnectionState> = {
  isLast,

  step({ subject: connection, state, payload }) {
    const deadline = CONNECTION_DEADLINES[state];
    if (deadline) connection.enter(deadline, LATE);
    return (STEPS[state as keyof ConnectionSteps] as Step)(connection, payload);
  },

  interrupted({ subject: { services: { log }, id }, state }, error) {
    const fault = toFault(error, "client");
    if (fault.code === "proxy_internal_error") log.error(`${id}: ${fault.message}`, error);
    else log.debug(`${id}: ${state}: ${fault.message}`, error);
    return { event: eventOf(fault), payload: RESET };
  },

  next({ subject: { services, id }, state }, { event }) {
    const to = nextOfConnection(state, event);
    services.onTransition?.({ id, from: state, event, to });
    return to;
  },
};

/** Drives the table until the connection is closed. Rejects for a bug alone, of ours or in `onTransition`. */
export function runConnection(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    drive(CONNECTIONS, { subject: connection, state: connection.firstState, payload: {} }, {
      done() {
        connection.end();
        resolve();
      },
      failed(bug) {
        connection.client.cut(toFault(bug));
        connection.end();
        reject(bug);
      },
    });
  });
}
