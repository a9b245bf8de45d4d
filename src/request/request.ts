/**
 * One request, from its first byte to its end: the steps of its table in `states.ts`, and what surrounds them.
 *
 * A step does the work of its state and returns an event with the payload of the state that the event leads to;
 * everything that a state needs travels that way, so nothing is half set. Steps end by themselves: whatever one waits
 * for can be cut from outside (a deadline, a shutdown) and then rejects with a `Fault`, so no step is ever left running
 * behind the next.
 *
 * @module
 */

import type { Machine, Moved, Nested } from "../driver.ts";
import { type FaultCode, toFault } from "../faults.ts";
import type { Ending, Recording } from "../observe/record.ts";
import { type Protocol, PROTOCOLS } from "../protocols/client_protocols.ts";
import { isLast, nextOfRequest, REQUEST_DEADLINES, type RequestEvent, type RequestState } from "../states.ts";
import { ASKING } from "./asking.ts";
import { finishRecord } from "./records.ts";
import { REFUSING } from "./refusing.ts";
import type { Requester } from "./requester.ts";
import { SERVING } from "./serving.ts";
import { eventOf, type RequestSteps, RESET } from "./step.ts";

const STEPS: RequestSteps = { ...ASKING, ...SERVING, ...REFUSING };

/** What it means when a state's deadline passes. */
const LATE: Readonly<Record<keyof RequestSteps, FaultCode>> = {
  reading: "client_timeout",
  authenticating: "client_timeout",
  authorizing: "connection_timeout",
  dialing: "connection_timeout",
  exchanging: "http_response_timeout",
  relaying: "connection_read_timeout",
  associating: "connection_read_timeout",
  refusing: "client_timeout",
};

/** How a request is recorded to have ended, by the event behind which nothing more of it comes. */
const ENDINGS: Partial<Record<RequestEvent, Ending>> = {
  reusable: "completed",
  finished: "completed",
  drained: "completed",
  dissociated: "completed",
  retryable: "refused",
  replied: "refused",
  timedOut: "timed out",
};

const REQUESTS: Machine<Requester, RequestState> = {
  isLast,

  step({ subject: requester, state, payload }) {
    const name = state as keyof RequestSteps;
    requester.enter(REQUEST_DEADLINES[name], LATE[name]);
    return (STEPS[name] as Step)(requester, payload);
  },

  interrupted({ subject: { services: { log }, id }, state, payload }, error) {
    const fault = toFault(error, "client");
    const recording = recordingOf(payload);
    if (recording) recording.fault ??= fault;
    if (fault.code === "proxy_internal_error") log.error(`${id}: ${fault.message}`, error);
    else log.debug(`${id}: ${state}: ${fault.message}`, error);
    return { event: eventOf(fault), payload: RESET };
  },

  next({ subject: { services, id }, state, payload: before }, { event, payload }) {
    const to = nextOfRequest(state, event);
    const recording = recordingOf(before);
    // Nothing more comes of a request whose record does not travel on.
    if (recording && recording !== recordingOf(payload)) {
      finishRecord(services, recording, ENDINGS[event as RequestEvent] ?? "aborted");
    }
    services.onTransition?.({ id, from: state, event, to });
    return to;
  },
};

/** Any of the steps. The table has seen to it that the payload is the state's. */
type Step = (requester: Requester, here: unknown) => Moved | Promise<Moved>;

function recordingOf(here: unknown): Recording | undefined {
  return (here as { readonly recording?: Recording }).recording;
}

/** The next request of a protocol whose requests come one after another: it begins with what its codec reads. */
export function nextRequest(requester: Requester, protocol: Protocol): Nested {
  const handshake = new PROTOCOLS[protocol].Handshake(requester.handshakeOptions);
  return { machine: REQUESTS, subject: requester, state: "reading", payload: { handshake, user: undefined } };
}
