/**
 * The proxy's own pages and metrics: a page of `sluice help`.
 *
 * @module
 */

import { type Metric, METRICS } from "../../../observe/metric_table.ts";
import type { Page, Terms } from "./page.ts";

/** The metrics that Prometheus reads. */
const FAMILIES: Terms = Object.values<Metric>(METRICS).flatMap(({ family }) =>
  family === undefined
    ? []
    : [[family.label ? `${family.name}{${family.label}}` : family.name, family.help] as const]
);

/** The page. */
export const page: Page = {
  parts: [
    "sluice has pages of its own. --admin 127.0.0.1:9100 serves them on a port of their own; clients of this machine see " +
    "them on the proxy's own port, too.",
    {
      terms: [
        ["/", "The dashboard: what is under way, who uses most, refusals, upstreams, certificates"],
        ["/proxy.pac", "Proxy auto-configuration for browsers"],
        ["/healthz", "For load balancers: 200, or 503 while it shuts down"],
        ["/readyz", "The same, and 503 while there are as many connections as the limit allows"],
        ["/metrics", "For Prometheus: in its text format, or in OpenMetrics with an example for each bucket"],
        [
          "/connections",
          "What is open now, in JSON: client, user, target, route, bytes so far, bytes a second",
        ],
        ["/events", "The same as server-sent events, every second; with totals, refusals, slow targets"],
      ],
    },
    {
      lines: `sluice --admin 127.0.0.1:9100
sluice top 127.0.0.1:9100`,
    },
    "sluice top shows in a terminal what is under way, and closes connections.",
    "With --admin-token, POST /connections/close on the admin listener closes connections: one by id=, or all of user=, " +
    "client= or target=. Who asks gives the token. The answer says how many it were.",
    {
      lines: `curl -X POST -H "Authorization: Bearer $TOKEN" \\
     "http://127.0.0.1:9100/connections/close?user=ann"`,
    },
    "POST /reload reads everything anew, in all workers, as SIGHUP does. The answer is 200, or 422 with all faults where " +
    "nothing was changed.",
    { lines: `curl -X POST -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9100/reload` },
    { heading: "Metrics" },
    { terms: FAMILIES },
    "sluice print grafana.json is a dashboard for Grafana with all of them.",
    "Several workers are counted together, and the bytes of transfers while they run. Requests for the proxy's own pages are in sluice_pages_total alone.",
  ],
};
