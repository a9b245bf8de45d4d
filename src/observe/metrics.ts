/**
 * What the proxy has done since it started, in numbers.
 *
 * A new number needs a property of {@link Totals}, code in {@link Metrics} that counts it, and a row in {@link METRICS}
 * that says how to show and to sum it up. None of the three compiles without the others.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { FaultCode } from "../faults.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
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
}

/** What is counted of a request or tunnel. */
export interface CountedRequest {
  readonly protocol: Protocol | undefined;
  readonly fault: { readonly code: FaultCode } | undefined;
  readonly sent: number;
  readonly received: number;
}

/** Counts what happens. Clients cannot make it grow: a key is never a text that they choose, such as a target. */
export class Metrics {
  readonly #clock: Clock;
  readonly #started: number;
  readonly #began: number;
  readonly #requests: Partial<Record<Protocol, number>> = {};
  readonly #endings: Partial<Record<Ending, number>> = {};
  readonly #faults: Partial<Record<FaultCode, number>> = {};
  #connections = 0;
  #open = 0;
  #sent = 0;
  #received = 0;

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
  add({ protocol, fault, sent, received }: CountedRequest, ending: Ending): void {
    if (protocol) count(this.#requests, protocol);
    count(this.#endings, ending);
    if (fault) count(this.#faults, fault.code);
    this.#sent += sent;
    this.#received += received;
  }

  /** The counts now. `running` are the bytes so far of requests that have not ended. */
  totals(running: Pick<Totals, "sent" | "received"> = { sent: 0, received: 0 }): Totals {
    return {
      started: this.#started,
      uptime: (this.#clock.now() - this.#began) / 1_000,
      open: this.#open,
      connections: this.#connections,
      requests: { ...this.#requests },
      endings: { ...this.#endings },
      faults: { ...this.#faults },
      sent: this.#sent + running.sent,
      received: this.#received + running.received,
    };
  }
}

/** The unit of a number. It decides how the status page shows the number. */
export type MetricUnit = "date" | "seconds" | "bytes" | "times";

/** How one of the {@link Totals} is shown. */
export interface Metric {
  /** How Prometheus gets it; undefined if Prometheus does not. */
  readonly family?: {
    readonly name: string;
    readonly type: "counter" | "gauge";
    readonly help: string;
    /** If the value is counts by key: the label that has the key. */
    readonly label?: string;
  };
  /** The status page's name for the number, or for the sum of the counts; undefined if the page does not show it. */
  readonly title?: string;
  /** The status page's heading for the table of the counts. */
  readonly section?: string;
  readonly unit: MetricUnit;
}

/** A metric, and how to sum it up. */
interface SummedMetric<Value> extends Metric {
  /** The value for two proxies together, side by side or one after the other. */
  readonly together: (a: Value, b: Value) => Value;
}

/** Total → how it is shown and summed up, in the order of the pages. */
export const METRICS: { readonly [Key in keyof Totals]: SummedMetric<Totals[Key]> } = {
  started: { title: "Started", unit: "date", together: Math.min },
  uptime: {
    family: { name: "sluice_uptime_seconds", type: "gauge", help: "Time since the start." },
    title: "Up",
    unit: "seconds",
    together: Math.max,
  },
  open: {
    family: { name: "sluice_connections_open", type: "gauge", help: "Client connections under way." },
    title: "Connections open",
    unit: "times",
    together: add,
  },
  connections: {
    family: { name: "sluice_connections_total", type: "counter", help: "Client connections accepted." },
    title: "Connections accepted",
    unit: "times",
    together: add,
  },
  requests: {
    family: {
      name: "sluice_requests_total",
      type: "counter",
      help: "Requests and tunnels ended, by protocol.",
      label: "protocol",
    },
    title: "Requests and tunnels ended",
    section: "Protocols",
    unit: "times",
    together: addCounts,
  },
  endings: {
    family: {
      name: "sluice_endings_total",
      type: "counter",
      help: "Requests and tunnels ended, by how.",
      label: "ending",
    },
    section: "How they ended",
    unit: "times",
    together: addCounts,
  },
  faults: {
    family: {
      name: "sluice_faults_total",
      type: "counter",
      help: "Requests and tunnels that failed, by fault.",
      label: "fault",
    },
    section: "Faults",
    unit: "times",
    together: addCounts,
  },
  sent: {
    family: { name: "sluice_sent_bytes_total", type: "counter", help: "Bytes from clients to targets." },
    title: "From clients to targets",
    unit: "bytes",
    together: add,
  },
  received: {
    family: { name: "sluice_received_bytes_total", type: "counter", help: "Bytes from targets to clients." },
    title: "From targets to clients",
    unit: "bytes",
    together: add,
  },
};

/** A number, or numbers by a key. */
export type MetricValue = number | Readonly<Record<string, number>>;

/** Every total with its row. */
export function metricsOf(
  totals: Totals,
): readonly { readonly metric: Metric; readonly value: MetricValue }[] {
  return KEYS.map((key) => ({ metric: METRICS[key], value: totals[key] as MetricValue }));
}

const KEYS = Object.keys(METRICS) as (keyof Totals)[];

/** The totals of two proxies together, side by side or one after the other. */
export function sumTotals(a: Totals, b: Totals): Totals {
  return Object.fromEntries(KEYS.map((key) => [key, together(key, a, b)])) as unknown as Totals;
}

function together<Key extends keyof Totals>(key: Key, a: Totals, b: Totals): Totals[Key] {
  return METRICS[key].together(a[key], b[key]);
}

type Counts<K extends string> = Readonly<Partial<Record<K, number>>>;

function add(a: number, b: number): number {
  return a + b;
}

function addCounts<K extends string>(a: Counts<K>, b: Counts<K>): Counts<K> {
  const sum: Partial<Record<K, number>> = { ...a };
  for (const [key, n] of Object.entries(b) as [K, number][]) sum[key] = (sum[key] ?? 0) + n;
  return sum;
}

function count<K extends string>(counts: Partial<Record<K, number>>, key: K): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
