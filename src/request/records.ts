/**
 * The record of a request: its beginning, its byte counts, and the callbacks that get it.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import { type AccessRecord, type Ending, Recording } from "../observe/record.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { Handshake, ProxyRequest } from "../protocols/common/handshake.ts";
import { traceParent } from "../protocols/http/trace_context.ts";
import type { ExchangeObserver } from "../traffic/exchange.ts";
import type { Paces } from "../traffic/pace.ts";
import type { RelayObserver } from "../traffic/relay.ts";
import type { Watch } from "../traffic/watch.ts";
import type { Requester } from "./requester.ts";
import type { RequestServices } from "./services.ts";

/** The record shows this much of a user name that was refused, in UTF-16 code units. */
const MAX_TRIED_NAME = 64;

/** What is known when a record begins. */
export interface RecordStart {
  /** The user who was let in. */
  readonly user?: string;
  /** The user name that was tried and refused. */
  readonly triedUser?: string;
  /** What a client asked for if it did not get as far as a request. */
  readonly asked?: Handshake["asked"];
  readonly request?: ProxyRequest;
}

/** Begins the record of a request, or of an attempt that did not become one. */
export function beginRecord(
  requester: Pick<Requester, "id" | "clientName" | "services" | "user" | "recording">,
  protocol: Protocol | undefined,
  { user, triedUser, asked, request }: RecordStart,
): Recording {
  const recording = new Recording(requester, protocol);
  requester.recording = recording;
  requester.user = recording.user = user;
  if (triedUser) recording.triedUser = triedUser.slice(0, MAX_TRIED_NAME);
  if (requester.services.settings.traceContext) recording.trace = traceOf(request);
  if (request?.kind === "tunnel" || request?.kind === "association") {
    recording.method = request.kind === "tunnel" ? "CONNECT" : "UDP";
    recording.target = formatAuthority(request.target);
  } else if (asked) {
    recording.method = asked.method;
    recording.target = asked.target;
  } else if (request) {
    recording.method = request.http.head.method;
    recording.target = request.http.head.target;
  }
  return recording;
}

function traceOf(request: ProxyRequest | undefined): string | undefined {
  if (request?.kind === "tunnel") return request.trace;
  return request && "http" in request ? traceParent(request.http.head.fields) : undefined;
}

type RecordServices = Pick<RequestServices, "metrics" | "recent" | "onRecord" | "onPage" | "log">;

/** Counts a finished request, and hands its record to the callbacks. If one throws, that is logged, and the request goes on. */
export function finishRecord(
  requester: { readonly services: RecordServices } & Pick<Requester, "recording" | "question" | "clientName">,
  recording: Recording,
  ending: Ending,
): void {
  const { metrics, recent, onRecord, onPage, log } = requester.services;
  requester.recording = requester.question = undefined;
  recording.paces?.release();
  const { page } = recording;
  if (page === undefined) {
    metrics.add(recording, ending);
    recent.add(requester, recording);
  } else metrics.shown(page);
  const tell = page === undefined ? onRecord : onPage;
  if (!tell) return;
  const record: AccessRecord = recording.end(ending);
  try {
    tell(record);
  } catch (error) {
    log.error("The callback onRecord failed", error);
  }
}

/** Counts the bytes of a record, and restarts the idle deadline with each. */
export class Meter implements RelayObserver, Pick<ExchangeObserver, "answered"> {
  readonly #watch: Watch;
  readonly #recording: Recording;

  /** Counts from now on. */
  constructor(watch: Watch, recording: Recording) {
    this.#watch = watch;
    this.#recording = recording;
  }

  /** See `RelayObserver`. */
  get paces(): Paces | undefined {
    return this.#recording.paces;
  }

  /** Bytes went to the target. */
  sent(count: number): void {
    this.#recording.sent += count;
    this.#watch.touch();
  }

  /** Bytes came from the target. */
  received(count: number): void {
    this.#recording.firstByte();
    this.#recording.received += count;
    this.#watch.touch();
  }

  /** The target has answered a request. */
  answered(status: number): void {
    this.#recording.firstByte();
    this.#recording.status = status;
    this.#watch.touch();
  }

  /** One side has ended, so the half-closed deadline runs for the other. */
  halfClosed(): void {
    this.#watch.setDeadline("halfClosed");
  }
}
