/**
 * Runs a connection from accept to close: the steps of its table in `states.ts`, with their deadlines, faults and hook.
 *
 * @module
 */

import { drive, type DriveEnd, type Machine, type Nested, type Resume, type Step } from "../driver.ts";
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
type AnyStep = (connection: Connection, here: unknown, resume: Resume) => Step | Nested;

const CONNECTIONS: Machine<Connection, ConnectionState> = {
  isLast,

  step({ subject: connection, state, payload }, resume) {
    const deadline = CONNECTION_DEADLINES[state];
    if (deadline) connection.enter(deadline, LATE);
    return (STEPS[state as keyof ConnectionSteps] as AnyStep)(connection, payload, resume);
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

/** Told when a connection is closed. Promise resolvers are one. */
export interface ConnectionEnd {
  /** It has come to its last state. */
  resolve(): void;
  /** A bug has ended it: ours, or one in `onTransition`. */
  reject(bug: unknown): void;
}

/** Drives the table until the connection is closed. */
export function runConnection(connection: Connection, end: ConnectionEnd): void {
  drive(
    CONNECTIONS,
    { subject: connection, state: connection.firstState, payload: {} },
    new Ending(connection, end),
  );
}

class Ending implements DriveEnd {
  readonly #connection: Connection;
  readonly #end: ConnectionEnd;

  constructor(connection: Connection, end: ConnectionEnd) {
    this.#connection = connection;
    this.#end = end;
  }

  done(): void {
    this.#connection.end();
    this.#end.resolve();
  }

  failed(bug: unknown): void {
    this.#connection.client.cut(toFault(bug));
    this.#connection.end();
    this.#end.reject(bug);
  }
}
