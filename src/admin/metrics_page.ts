/**
 * The metrics page, for Prometheus: in its own text format, or in OpenMetrics for who asks for that.
 *
 * @module
 */

import { BUCKETS, type Exemplar, type HistogramCounts } from "../observe/histogram.ts";
import { type Metric, metricsOf, type MetricValue } from "../observe/metric_table.ts";
import type { Page } from "../protocols/http/own_answer.ts";
import type { PageFacts } from "./facts.ts";

/** Writes what differs between the two formats. */
interface Format {
  readonly type: string;
  /** The name in the lines HELP and TYPE. */
  familyName(name: string): string;
  /** A limit of a bucket. */
  limit(seconds: number): string;
  /** What follows a bucket. */
  exemplar(exemplar: Exemplar | null): string;
  /** The last line. */
  readonly end: string;
}

/** The text format of Prometheus, version 0.0.4. */
const PROMETHEUS: Format = {
  type: "text/plain",
  familyName: (name) => name,
  limit: String,
  exemplar: () => "",
  end: "",
};

/** OpenMetrics 1.0. A counter's family has no suffix, and a bucket may have an exemplar. */
const OPEN_METRICS: Format = {
  type: "application/openmetrics-text; version=1.0.0",
  familyName: (name) => name.replace(/_total$/, ""),
  limit: (seconds) => Number.isInteger(seconds) ? `${seconds}.0` : String(seconds),
  exemplar: (exemplar) =>
    exemplar ? ` # {id="${escaped(exemplar.id)}"} ${exemplar.value} ${exemplar.at / 1_000}` : "",
  end: "# EOF\n",
};

/** The page, in the format that the client prefers. */
export function metricsPage({ totals }: Pick<PageFacts, "totals">, accept: readonly string[]): Page {
  const isOpen = accept.some((type) => type.startsWith("application/openmetrics-text"));
  const format = isOpen ? OPEN_METRICS : PROMETHEUS;
  const families = metricsOf(totals).map(({ metric, value }) => familyOf(metric, value, format));
  return { status: 200, type: format.type, body: families.join("") + format.end };
}

function familyOf({ family }: Metric, value: MetricValue, format: Format): string {
  if (!family) return "";
  const { type, help } = family;
  const name = format.familyName(family.name);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samplesOf(family, value, format), ""].join(
    "\n",
  );
}

function samplesOf(
  { name, label = "", labelValue = (key) => key }: NonNullable<Metric["family"]>,
  value: MetricValue,
  format: Format,
): string[] {
  if (typeof value === "number") return [`${name} ${value}`];
  return Object.entries(value).flatMap(([key, counts]) => {
    const labels = `${label}="${escaped(labelValue(key))}"`;
    return typeof counts === "number"
      ? [`${name}{${labels}} ${counts}`]
      : histogramOf(name, labels, { counts, format });
  });
}

function histogramOf(
  name: string,
  labels: string,
  { counts: { counts, sum, exemplars }, format }: {
    readonly counts: HistogramCounts;
    readonly format: Format;
  },
): string[] {
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const limit = i < BUCKETS.length ? format.limit(BUCKETS[i]) : "+Inf";
    return `${name}_bucket{${labels},le="${limit}"} ${total}${format.exemplar(exemplars[i])}`;
  });
  return [...buckets, `${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${total}`];
}

/** The text in the quotes of a label. */
function escaped(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}
