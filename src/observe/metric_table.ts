/**
 * The table of metrics: how each number is shown, and how those of several proxies are summed up.
 *
 * @module
 */

import { addHistograms, type HistogramCounts } from "./histogram.ts";
import type { RequestKind, Totals } from "./metrics.ts";

/** The unit of a number. It decides how the status page shows the number. */
export type MetricUnit = "date" | "seconds" | "bytes" | "times";

/** How one of the {@link Totals} is shown. */
export interface Metric {
  /** How Prometheus gets it; undefined if Prometheus does not. */
  readonly family?: {
    readonly name: string;
    readonly type: "counter" | "gauge" | "histogram";
    readonly help: string;
    /** If the value is counts by key: the label that has the key. */
    readonly label?: string;
    /** The value of the label for a key; the key itself by default. */
    readonly labelValue?: (key: string) => string;
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
      labelValue: (key) => key.replace(" ", "_"),
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
  userRequests: {
    family: {
      name: "sluice_user_requests_total",
      type: "counter",
      help: "Requests and tunnels ended, by user: the first 1,000 users, and (others).",
      label: "user",
    },
    unit: "times",
    together: addNamed,
  },
  userSent: {
    family: {
      name: "sluice_user_sent_bytes_total",
      type: "counter",
      help: "Bytes from clients to targets, by user.",
      label: "user",
    },
    unit: "bytes",
    together: addNamed,
  },
  userReceived: {
    family: {
      name: "sluice_user_received_bytes_total",
      type: "counter",
      help: "Bytes from targets to clients, by user.",
      label: "user",
    },
    unit: "bytes",
    together: addNamed,
  },
  routeRequests: {
    family: {
      name: "sluice_route_requests_total",
      type: "counter",
      help: "Requests and tunnels ended, by route: direct, or the upstream; the first 200, and (others).",
      label: "route",
    },
    unit: "times",
    together: addNamed,
  },
  routeFailures: {
    family: {
      name: "sluice_route_failures_total",
      type: "counter",
      help: "Those of them that failed at the upstream or the target.",
      label: "route",
    },
    unit: "times",
    together: addNamed,
  },
  durations: {
    family: {
      name: "sluice_request_duration_seconds",
      type: "histogram",
      help: "From the request to its end, by what was asked for.",
      label: "kind",
    },
    unit: "seconds",
    together: addHistogramsByKey,
  },
  dials: {
    family: {
      name: "sluice_dial_duration_seconds",
      type: "histogram",
      help: "Until the target or the upstream was connected.",
      label: "kind",
    },
    unit: "seconds",
    together: addHistogramsByKey,
  },
  firstBytes: {
    family: {
      name: "sluice_first_byte_seconds",
      type: "histogram",
      help: "From the request to the first byte of the answer.",
      label: "kind",
    },
    unit: "seconds",
    together: addHistogramsByKey,
  },
  pages: {
    family: {
      name: "sluice_pages_total",
      type: "counter",
      help: "Answers with pages of the proxy's own, by page. No other metric counts them.",
      label: "page",
    },
    unit: "times",
    together: addNamed,
  },
  limits: {
    family: {
      name: "sluice_limits_reached_total",
      type: "counter",
      help: "How often limits were reached, by limit.",
      label: "limit",
    },
    section: "Limits reached",
    unit: "times",
    together: addCounts,
  },
};

/** A number, or numbers or histograms by a key. */
export type MetricValue = number | Readonly<Record<string, number | HistogramCounts>>;

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

type Named = Readonly<Record<string, number>>;
type Counts<K extends string> = Readonly<Partial<Record<K, number>>>;

function add(a: number, b: number): number {
  return a + b;
}

function addNamed(a: Named, b: Named): Named {
  return addCounts<string>(a, b) as Named;
}

function addCounts<K extends string>(a: Counts<K>, b: Counts<K>): Counts<K> {
  const sum: Partial<Record<K, number>> = { ...a };
  for (const [key, n] of Object.entries(b) as [K, number][]) sum[key] = (sum[key] ?? 0) + n;
  return sum;
}

type Histograms = Readonly<Partial<Record<RequestKind, HistogramCounts>>>;

function addHistogramsByKey(a: Histograms, b: Histograms): Histograms {
  const sum: Partial<Record<RequestKind, HistogramCounts>> = { ...a };
  for (const [kind, other] of Object.entries(b) as [RequestKind, HistogramCounts][]) {
    const one = sum[kind];
    sum[kind] = one ? addHistograms(one, other) : other;
  }
  return sum;
}
