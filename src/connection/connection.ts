/**
 * One client connection, from accept to close: the driver of the table in `states.ts`. What each state does is in
 * `steps.ts`.
 *
 * @module
 */

import { type Fault, type FaultCode, toFault } from "../faults.ts";
import type { Ending } from "../observe/record.ts";
import type { Recording } from "../observe/recording.ts";
import { Session, type SessionOptions } from "./session.ts";
import { DEADLINES, type Event, type FROM_ANY, next, type State } from "../states.ts";
import { STEPS } from "./steps.ts";
import { eventOf, type Payloads, RESET } from "./step.ts";

/** What it means when a state's deadline passes. */
const LATE: Record<State, FaultCode> = {
  introducing: "client_timeout",
  securing: "client_timeout",
  detecting: "client_timeout",
  handshaking: "client_timeout",
  authenticating: "client_timeout",
  authorizing: "connection_timeout",
  dialing: "connection_timeout",
  exchanging: "http_response_timeout",
  relaying: "connection_read_timeout",
  associating: "connection_read_timeout",
  refusing: "client_timeout",
  closing: "client_timeout",
  closed: "client_timeout",
};

/** How a request is recorded to have ended, by the event behind which nothing more of it comes. */
const ENDINGS: Partial<Record<Event, Ending>> = {
  reusable: "completed",
  finished: "completed",
  drained: "completed",
  dissociated: "completed",
  retryable: "refused",
  replied: "refused",
  unintroduced: "refused",
  unsecured: "refused",
  timedOut: "timed out",
};

/** What becomes of a step that threw. */
interface Interruption {
  readonly event: keyof typeof FROM_ANY;
  readonly payload: typeof RESET;
}

function recordingOf(here: object): Recording | undefined {
  return (here as { readonly recording?: Recording }).recording;
}

/** One connection, from its first byte to its last. */
export class Connection {
  readonly #session: Session;

  /** Takes the stream over. */
  constructor(options: SessionOptions) {
    this.#session = new Session(options);
  }

  /** Who has made the latest request; undefined where nobody was asked for a password. */
  get user(): string | undefined {
    return this.#session.user;
  }

  /** Drives the table until the connection is closed. Rejects for a bug alone, of ours or in `onTransition`. */
  async run(): Promise<void> {
    const session = this.#session;
    let state: State = session.firstState;
    let here: Payloads[State] = {};
    try {
      while (state !== "closed") {
        session.enter(DEADLINES[state], LATE[state]);
        let outcome: { event: Event; payload: Payloads[State] };
        try {
          const stepping = STEPS[state](session, here as never);
          outcome = stepping instanceof Promise ? await stepping : stepping;
        } catch (error) {
          outcome = this.#interrupted(error, { state, here });
        }
        const { event, payload } = outcome;
        const to = next(state, event);
        const recording = recordingOf(here);
        // Nothing more comes of a request whose record does not travel on.
        if (recording && recording !== recordingOf(payload)) {
          session.finish(recording, ENDINGS[event] ?? "aborted");
        }
        session.services.onTransition?.({ id: session.id, from: state, event, to });
        state = to;
        here = payload;
      }
    } catch (error) {
      session.client.cut(toFault(error));
      throw error;
    } finally {
      session.end();
    }
  }

  #interrupted(error: unknown, { state, here }: { state: State; here: Payloads[State] }): Interruption {
    const { services, id } = this.#session;
    const fault = toFault(error, "client");
    const recording = recordingOf(here);
    if (recording) recording.fault ??= fault;
    if (fault.code === "proxy_internal_error") services.log.error(`${id}: ${fault.message}`, error);
    else services.log.debug(`${id}: ${state}: ${fault.message}`, error);
    return { event: eventOf(fault), payload: RESET };
  }

  /** Finishes what was begun and takes no further request. */
  drain(): void {
    this.#session.drain();
  }

  /** Breaks it off. */
  cut(fault: Fault): void {
    this.#session.cut(fault);
  }
}
