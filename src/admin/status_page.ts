/**
 * The status page, for people.
 *
 * @module
 */

import { formatAddress } from "../addresses/host.ts";
import { metricsOf, type MetricUnit, type MetricValue } from "../observe/metrics.ts";
import { escapeHtml } from "../text/html.ts";
import type { PageFacts } from "./facts.ts";

/** The status page in HTML. It reloads itself every five seconds. */
export function statusPage({ version, name, totals, draining, listeners }: PageFacts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5">
<title>sluice: ${escapeHtml(name)}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 6vh auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0 0 1.5rem; width: 100% }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; font-weight: normal }
th { width: 16rem; opacity: .75 }
td { font-variant-numeric: tabular-nums }
h2 { font-size: 1.1rem }
</style>
</head>
<body>
<h1>${draining ? "sluice is shutting down" : "sluice is running"}</h1>
${
    table([
      ["Name", name],
      ["Version", version],
      ...metricsOf(totals).flatMap(({ metric: { title, unit }, value }) =>
        title === undefined ? [] : [[title, SHOWN[unit](sum(value))] as const]
      ),
    ])
  }
<h2>Listeners</h2>
${
    table(
      listeners.map((
        { address, tls, scheme },
      ) => [scheme + (tls ? " over TLS" : ""), formatAddress(address)]),
    )
  }
${metricsOf(totals).flatMap(({ metric, value }) => section(metric.section, value)).join("\n")}
<p>Also here: <a href="/proxy.pac">/proxy.pac</a> for browsers, <a href="/healthz">/healthz</a> for balancers,
<a href="/metrics">/metrics</a> for Prometheus.</p>
</body>
</html>
`;
}

/** Unit → how people read it. */
const SHOWN: Readonly<Record<MetricUnit, (value: number) => string>> = {
  date: (value) => new Date(value).toISOString(),
  seconds: upTime,
  bytes,
  times: String,
};

function sum(value: MetricValue): number {
  return typeof value === "number"
    ? value
    : Object.values(value).reduce<number>((sum, n) => sum + (typeof n === "number" ? n : 0), 0);
}

/** A table of counts, the highest first. An empty line if there are no counts. */
function section(title: string | undefined, value: MetricValue): string[] {
  if (title === undefined || typeof value === "number") return [];
  const rows = Object.entries(value).sort(([, a], [, b]) => Number(b) - Number(a));
  return [rows.length === 0 ? "" : `<h2>${title}</h2>\n${table(rows.map(([key, n]) => [key, String(n)]))}`];
}

function table(rows: readonly (readonly [head: string, data: string])[]): string {
  const lines = rows.map(([head, data]) =>
    `<tr><th scope="row">${escapeHtml(head)}</th><td>${escapeHtml(data)}</td></tr>`
  );
  return `<table>\n${lines.join("\n")}\n</table>`;
}

function upTime(seconds: number): string {
  const [days, hours, minutes] = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60].map(Math.floor);
  return `${days} d ${hours} h ${minutes} min ${Math.floor(seconds % 60)} s`;
}

function bytes(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(count, 1)) / 10), units.length - 1);
  return `${power === 0 ? count : (count / 1024 ** power).toFixed(1)} ${units[power]}`;
}
