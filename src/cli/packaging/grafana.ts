/**
 * `sluice print grafana.json`: a dashboard for Grafana over the metrics that Prometheus reads.
 *
 * @module
 */

import { type Metric, METRICS, type MetricUnit } from "../../observe/metric_table.ts";

/** A graph: a title, the unit of its axis in Grafana's words, and queries with the text of their legends. */
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly queries: readonly (readonly [query: string, legend: string])[];
  readonly stacked?: boolean;
}

/** The counters of the chosen instances as rates. `by` are the labels that stay. */
function rate(metric: string, by = ""): string {
  return `sum${by && ` by (${by})`} (rate(${metric}{instance=~"$instance"}[$__rate_interval]))`;
}

function quantiles(metric: string): Panel["queries"] {
  return [0.5, 0.95, 0.99].map((quantile) => [
    `histogram_quantile(${quantile}, ${rate(`${metric}_bucket`, "le, kind")})`,
    `{{kind}} p${quantile * 100}`,
  ]);
}

/** The ten users with the most bytes a second. */
const TOP_USERS = `topk(10, ${rate("sluice_user_received_bytes_total", "user")} + ${
  rate("sluice_user_sent_bytes_total", "user")
})`;

/** The graphs that combine metrics or need words of their own, in the order of the page. */
const PANELS: readonly Panel[] = [
  {
    title: "Requests and tunnels ended, by protocol",
    unit: "reqps",
    queries: [[rate("sluice_requests_total", "protocol"), "{{protocol}}"]],
    stacked: true,
  },
  {
    title: "Throughput",
    unit: "Bps",
    queries: [
      [rate("sluice_received_bytes_total"), "from targets"],
      [rate("sluice_sent_bytes_total"), "to targets"],
    ],
  },
  {
    title: "Client connections",
    unit: "short",
    queries: [
      [`sum (sluice_connections_open{instance=~"$instance"})`, "open"],
      [rate("sluice_connections_total"), "accepted a second"],
    ],
  },
  {
    title: "How requests ended",
    unit: "reqps",
    queries: [[rate("sluice_endings_total", "ending"), "{{ending}}"]],
    stacked: true,
  },
  {
    title: "Faults",
    unit: "reqps",
    queries: [[rate("sluice_faults_total", "fault"), "{{fault}}"]],
    stacked: true,
  },
  { title: "Time to the first byte", unit: "s", queries: quantiles("sluice_first_byte_seconds") },
  { title: "Time to connect", unit: "s", queries: quantiles("sluice_dial_duration_seconds") },
  { title: "Duration", unit: "s", queries: quantiles("sluice_request_duration_seconds") },
  { title: "Users with the most bytes", unit: "Bps", queries: [[TOP_USERS, "{{user}}"]], stacked: true },
  {
    title: "Users with the most requests",
    unit: "reqps",
    queries: [[`topk(10, ${rate("sluice_user_requests_total", "user")})`, "{{user}}"]],
    stacked: true,
  },
  {
    title: "Routes",
    unit: "reqps",
    queries: [[rate("sluice_route_requests_total", "route"), "{{route}}"]],
    stacked: true,
  },
  {
    title: "Failures by route",
    unit: "percentunit",
    queries: [[
      `${rate("sluice_route_failures_total", "route")} / ${rate("sluice_route_requests_total", "route")}`,
      "{{route}}",
    ]],
  },
];

/** The graphs of all other metrics, made from their rows. */
function furtherPanels(): Panel[] {
  const shown = JSON.stringify(PANELS);
  return Object.values<Metric>(METRICS).flatMap(({ family, unit }) => {
    if (!family || shown.includes(family.name)) return [];
    const { name, help, type, label = "instance" } = family;
    const query = type === "gauge" ? `sum by (${label}) (${name}{instance=~"$instance"})` : rate(name, label);
    return [{
      title: help,
      unit: AXES[type === "gauge" ? "gauge" : "counter"][unit],
      queries: [[query, `{{${label}}}`]],
    }];
  });
}

/** Unit → that of an axis: of a value, and of a value a second. */
const AXES = {
  gauge: { date: "dateTimeAsIso", seconds: "s", bytes: "bytes", times: "short" },
  counter: { date: "short", seconds: "percentunit", bytes: "Bps", times: "ops" },
} as const satisfies Record<string, Record<MetricUnit, string>>;

const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** The dashboard in JSON, as Grafana 9 and later import it. */
export function grafanaDashboard(): string {
  return JSON.stringify(
    {
      title: "sluice",
      uid: "sluice",
      description: "A proxy: what it carries, for whom, how fast, and what fails.",
      tags: ["proxy"],
      schemaVersion: 38,
      editable: true,
      graphTooltip: 1,
      refresh: "10s",
      time: { from: "now-1h", to: "now" },
      templating: {
        list: [
          { name: "datasource", label: "Data source", type: "datasource", query: "prometheus" },
          {
            name: "instance",
            label: "Instance",
            type: "query",
            datasource: SOURCE,
            query: "label_values(sluice_uptime_seconds, instance)",
            refresh: 2,
            includeAll: true,
            multi: true,
            current: { text: "All", value: "$__all" },
          },
        ],
      },
      panels: [...PANELS, ...furtherPanels()].map(panelOf),
    },
    null,
    2,
  );
}

function panelOf({ title, unit, queries, stacked = false }: Panel, index: number): unknown {
  return {
    id: index + 1,
    type: "timeseries",
    title,
    datasource: SOURCE,
    gridPos: { h: 8, w: 12, x: index % 2 * 12, y: Math.floor(index / 2) * 8 },
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        custom: { fillOpacity: stacked ? 30 : 5, stacking: { mode: stacked ? "normal" : "none" } },
      },
      overrides: [],
    },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + i),
      datasource: SOURCE,
      expr,
      legendFormat,
      exemplar: true,
    })),
  };
}
