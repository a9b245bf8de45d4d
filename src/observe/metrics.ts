/**
 * What the proxy has done since it started, in numbers.
 *
 * A new number needs a property of {@link Totals}, code in {@link Metrics} that counts it, and a row in `metric_table.ts` that
 * says how to show and to sum it up. None of the three compiles without the others.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { Blame } from "../fault_table.ts";
import type { FaultCode } from "../faults.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import { Histogram, type HistogramCounts } from "./histogram.ts";
import type { Ending } from "./record.ts";

/** Totals since the start, as JSON can carry them. Bytes are those of bodies and tunnels. */
export interface Totals {
  /** When the proxy started, in milliseconds since 1970. */
  readonly started: number;
  /** Seconds since then. */
  readonly uptime: number;
  /** Client connections that are open. */
  readonly open: number;
  /** Client connections accepted. */
  readonly connections: number;
  /** Requests and tunnels that have ended, by the client's protocol. */
  readonly requests: Readonly<Partial<Record<Protocol, number>>>;
  /** The same, by how they ended. */
  readonly endings: Readonly<Partial<Record<Ending, number>>>;
  /** The same, by fault. */
  readonly faults: Readonly<Partial<Record<FaultCode, number>>>;
  /** Bytes from clients to targets. */
  readonly sent: number;
  /** Bytes from targets to clients. */
  readonly received: number;
  /** Requests and tunnels ended, by user. */
  readonly userRequests: Readonly<Record<string, number>>;
  /** Bytes from clients to targets, by user. */
  readonly userSent: Readonly<Record<string, number>>;
  /** Bytes from targets to clients, by user. */
  readonly userReceived: Readonly<Record<string, number>>;
  /** Requests and tunnels ended, by the route that they took. */
  readonly routeRequests: Readonly<Record<string, number>>;
  /** Those of them that failed on the way or at the target. */
  readonly routeFailures: Readonly<Record<string, number>>;
  /** How long requests and tunnels lasted. */
  readonly durations: Readonly<Partial<Record<RequestKind, HistogramCounts>>>;
  /** How long dials took. */
  readonly dials: Readonly<Partial<Record<RequestKind, HistogramCounts>>>;
  /** How long the first byte of an answer took. */
  readonly firstBytes: Readonly<Partial<Record<RequestKind, HistogramCounts>>>;
  /** Answers with pages of the proxy's own, by page. They are in no other count. */
  readonly pages: Readonly<Record<string, number>>;
  /** How often limits were reached, by their text. */
  readonly limits: Readonly<Partial<Record<string, number>>>;
}

/** What was asked for. */
export type RequestKind = "exchange" | "tunnel" | "association";

/** Bytes of a request that has not ended. */
export interface RunningRequest {
  readonly user: string | undefined;
  readonly sent: number;
  readonly received: number;
}

/** What is counted of a request or tunnel. */
export interface CountedRequest extends RunningRequest {
  readonly id: string;
  readonly protocol: Protocol | undefined;
  readonly method: string | undefined;
  readonly route: string | undefined;
  readonly fault: { readonly code: FaultCode; readonly blame?: Blame } | undefined;
  readonly began: number;
  readonly dialTime: number | undefined;
  readonly firstByteTime: number | undefined;
}

/** The most users and routes that are counted by name: a callback or a rule may name any number. */
const MAX_USERS = 1_000;
const MAX_ROUTES = 200;

/** The name under which further ones are counted together. */
const FURTHER = "(others)";

interface UserCounts {
  requests: number;
  sent: number;
  received: number;
}

interface RouteCounts {
  requests: number;
  failures: number;
}

/**
 * Counts what happens. Clients cannot make it grow: a key is never a text that they choose, such as a target, and those
 * that operators and callbacks choose are bounded.
 */
export class Metrics {
  readonly #clock: Clock;
  readonly #started: number;
  readonly #began: number;
  readonly #requests: Partial<Record<Protocol, number>> = {};
  readonly #endings: Partial<Record<Ending, number>> = {};
  readonly #faults: Partial<Record<FaultCode, number>> = {};
  readonly #users = new Map<string, UserCounts>();
  readonly #routes = new Map<string, RouteCounts>();
  readonly #durations: Partial<Record<RequestKind, Histogram>> = {};
  readonly #dials: Partial<Record<RequestKind, Histogram>> = {};
  readonly #firstBytes: Partial<Record<RequestKind, Histogram>> = {};
  readonly #pages: Record<string, number> = {};
  #connections = 0;
  #open = 0;
  #sent = 0;
  #received = 0;
  readonly #limits: Partial<Record<string, number>> = {};

  /** Starts at zero. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#started = clock.date().getTime();
    this.#began = clock.now();
  }

  /** A client was accepted. */
  connected(): void {
    this.#connections++;
    this.#open++;
  }

  /** A client's connection is over. */
  disconnected(): void {
    this.#open--;
  }

  /** A request or tunnel has ended. */
  add(request: CountedRequest, ending: Ending): void {
    const { id, protocol, method, fault, user, route, sent, received, dialTime, firstByteTime } = request;
    if (protocol) count(this.#requests, protocol);
    count(this.#endings, ending);
    if (fault) count(this.#faults, fault.code);
    this.#sent += sent;
    this.#received += received;
    if (user !== undefined) {
      const counts = this.#users.get(user) ?? this.#newUser(user);
      counts.requests++;
      counts.sent += sent;
      counts.received += received;
    }
    if (route !== undefined) {
      const counts = this.#routes.get(route) ?? this.#newRoute(route);
      counts.requests++;
      if (fault?.blame === "upstream") counts.failures++;
    }
    if (method === undefined) return;
    const kind = kindOf(method);
    const at = this.#clock.date().getTime();
    (this.#durations[kind] ??= new Histogram()).add(this.#clock.now() - request.began, id, at);
    if (dialTime !== undefined) (this.#dials[kind] ??= new Histogram()).add(dialTime, id, at);
    if (firstByteTime !== undefined) (this.#firstBytes[kind] ??= new Histogram()).add(firstByteTime, id, at);
  }

  /** A limit was reached, in the shadow or not. There are as many as the operator has written. */
  reached({ text }: { readonly text: string }): void {
    count(this.#limits, text);
  }

  #newUser(user: string): UserCounts {
    return newCounts(this.#users, user, { most: MAX_USERS, zero: { requests: 0, sent: 0, received: 0 } });
  }

  #newRoute(route: string): RouteCounts {
    return newCounts(this.#routes, route, { most: MAX_ROUTES, zero: { requests: 0, failures: 0 } });
  }

  /** A page of the proxy's own was shown. */
  shown(page: string): void {
    count(this.#pages, page);
  }

  /** The counts now, with the bytes so far of requests that have not ended. */
  totals(running: Iterable<RunningRequest> = []): Totals {
    const now = { sent: this.#sent, received: this.#received };
    const userRequests = valuesOf(this.#users, ({ requests }) => requests);
    const userSent = valuesOf(this.#users, ({ sent }) => sent);
    const userReceived = valuesOf(this.#users, ({ received }) => received);
    for (const { user, sent, received } of running) {
      now.sent += sent;
      now.received += received;
      if (user === undefined) continue;
      const name = this.#users.has(user) || this.#users.size < MAX_USERS ? user : FURTHER;
      userSent[name] = (userSent[name] ?? 0) + sent;
      userReceived[name] = (userReceived[name] ?? 0) + received;
    }
    return {
      started: this.#started,
      uptime: (this.#clock.now() - this.#began) / 1_000,
      open: this.#open,
      connections: this.#connections,
      requests: { ...this.#requests },
      endings: { ...this.#endings },
      faults: { ...this.#faults },
      ...now,
      userRequests,
      userSent,
      userReceived,
      routeRequests: valuesOf(this.#routes, ({ requests }) => requests),
      routeFailures: valuesOf(this.#routes, ({ failures }) => failures),
      durations: countsOf(this.#durations),
      dials: countsOf(this.#dials),
      firstBytes: countsOf(this.#firstBytes),
      pages: { ...this.#pages },
      limits: { ...this.#limits },
    };
  }
}

function kindOf(method: string): RequestKind {
  return method === "CONNECT" ? "tunnel" : method === "UDP" ? "association" : "exchange";
}

/** New counts under a name, or, beyond `most` names, those of all further ones. */
function newCounts<Counts>(
  counts: Map<string, Counts>,
  name: string,
  { most, zero }: { readonly most: number; readonly zero: Counts },
): Counts {
  const key = counts.size < most ? name : FURTHER;
  const known = counts.get(key);
  if (!known) counts.set(key, zero);
  return known ?? zero;
}

function valuesOf<Counts>(
  counts: ReadonlyMap<string, Counts>,
  value: (counts: Counts) => number,
): Record<string, number> {
  return Object.fromEntries([...counts].map(([name, counts]) => [name, value(counts)]));
}

function countsOf(
  histograms: Readonly<Partial<Record<RequestKind, Histogram>>>,
): Partial<Record<RequestKind, HistogramCounts>> {
  return Object.fromEntries(
    Object.entries(histograms).map(([kind, histogram]) => [kind, histogram.counts()]),
  );
}

function count<K extends string>(counts: Partial<Record<K, number>>, key: K): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
