/**
 * Runs one request, from its first byte to its end: the steps of its table in `states.ts`, with their deadlines, faults
 * and records.
 *
 * A step does the work of its state. It returns an event, and the payload of the state that the event leads to. The
 * payload holds everything that the next state needs, so no field is ever half set. Whatever a step waits for can be
 * cut from outside (by a deadline or a shutdown), and then rejects with a `Fault`. So each step ends by itself, and
 * none is left running beside the next.
 *
 * @module
 */

import type { Machine, Nested, Resume, Step } from "../driver.ts";
import type { FaultCode } from "../faults.ts";
import type { Ending, Recording } from "../observe/record.ts";
import { type Protocol, PROTOCOLS } from "../protocols/client_protocols.ts";
import { isLast, nextOfRequest, REQUEST_DEADLINES, type RequestEvent, type RequestState } from "../states.ts";
import { ASKING } from "./asking.ts";
import { finishRecord } from "./records.ts";
import { REFUSING } from "./refusing.ts";
import type { Requester } from "./requester.ts";
import { SERVING } from "./serving.ts";
import { interruption, type RequestSteps } from "./step.ts";

const STEPS: RequestSteps = { ...ASKING, ...SERVING, ...REFUSING };

/** The fault when a state's deadline passes. */
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

/** How a request has ended, by the last event that concerns it. */
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

  step({ subject: requester, state, payload }, resume) {
    const name = state as keyof RequestSteps;
    requester.enter(REQUEST_DEADLINES[name], LATE[name]);
    return (STEPS[name] as AnyStep)(requester, payload, resume);
  },

  interrupted(at, error) {
    const { fault, moved } = interruption(at, error);
    const recording = recordingOf(at.payload);
    if (recording) recording.fault ??= fault;
    return moved;
  },

  next({ subject: requester, state, payload: before }, { event, payload }) {
    const to = nextOfRequest(state, event);
    const recording = recordingOf(before);
    // If the next state has another record or none, this one is finished.
    if (recording && recording !== recordingOf(payload)) {
      finishRecord(requester, recording, ENDINGS[event as RequestEvent] ?? "aborted");
    }
    requester.services.onTransition?.({ id: requester.id, from: state, event, to });
    return to;
  },
};

/** Any of the steps. The table guarantees that the payload fits the state. */
type AnyStep = (requester: Requester, here: unknown, resume: Resume) => Step;

function recordingOf(here: unknown): Recording | undefined {
  return (here as { readonly recording?: Recording }).recording;
}

/** The next request of a protocol whose requests come one after another. It begins with a new codec. */
export function nextRequest(requester: Requester, protocol: Protocol): Nested {
  const handshake = new PROTOCOLS[protocol].Handshake(requester.handshakeOptions);
  return { machine: REQUESTS, subject: requester, state: "reading", payload: { handshake, user: undefined } };
}
