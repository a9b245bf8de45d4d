/**
 * The metrics page, for Prometheus.
 *
 * @module
 */

import { metricsOf } from "../observe/metrics.ts";
import type { PageFacts } from "./facts.ts";

/** The text format of Prometheus, version 0.0.4. */
export function metricsPage({ totals }: Pick<PageFacts, "totals">): string {
  return metricsOf(totals).map(({ metric: { family }, value }) => {
    if (!family) return "";
    const { name, type, help, label } = family;
    const samples = label === undefined || typeof value === "number"
      ? [`${name} ${value}`]
      : labelled(value, label).map(([labels, n]) => `${name}${labels} ${n}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ""].join("\n");
  }).join("");
}

function labelled(counts: Readonly<Record<string, number>>, label: string): [labels: string, n: number][] {
  return Object.entries(counts).map(([value, n]) => [`{${label}="${value.replace(" ", "_")}"}`, n]);
}
