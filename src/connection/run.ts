/**
 * Runs a connection from accept to close: the steps of its table in `states.ts`, with their deadlines, faults and hook.
 *
 * @module
 */

import { drive, type Machine, type Moved, type Nested } from "../driver.ts";
import { type FaultCode, toFault } from "../faults.ts";
import { nextRequest } from "../request/request.ts";
import { interruption } from "../request/step.ts";
import { CONNECTION_DEADLINES, type ConnectionState, isLast, nextOfConnection } from "../states.ts";
import { ARRIVING } from "./arriving.ts";
import { CLOSING } from "./closing.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionSteps } from "./step.ts";

const STEPS: ConnectionSteps = {
  ...ARRIVING,
  ...CLOSING,

  /**
   * All protocols so far send their requests one after another. A protocol that sends many at once would drive them
   * side by side here, each with its own requester, and return an event when the last is over.
   */
  serving(connection, { protocol }) {
    return nextRequest(connection, protocol);
  },
};

/** The fault when a state's deadline passes. */
const LATE: FaultCode = "client_timeout";

/** Any of the steps. The table guarantees that the payload fits the state. */
type Step = (connection: Connection, here: unknown) => Moved | Nested | Promise<Moved>;

const CONNECTIONS: Machine<Connection, ConnectionState> = {
  isLast,

  step({ subject: connection, state, payload }) {
    const deadline = CONNECTION_DEADLINES[state];
    if (deadline) connection.enter(deadline, LATE);
    return (STEPS[state as keyof ConnectionSteps] as Step)(connection, payload);
  },

  interrupted(at, error) {
    return interruption(at, error).moved;
  },

  next({ subject: { services, id }, state }, { event }) {
    const to = nextOfConnection(state, event);
    services.onTransition?.({ id, from: state, event, to });
    return to;
  },
};

/** Drives the table until the connection is closed. Rejects only for a bug: ours, or one in `onTransition`. */
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
