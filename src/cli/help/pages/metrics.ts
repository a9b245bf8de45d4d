/**
 * The proxy's own pages and metrics: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "sluice has pages of its own. --admin 127.0.0.1:9100 serves them on a port of their own; clients of this machine see " +
    "them on the proxy's own port, too.",
    {
      terms: [
        ["/", "The proxy's status"],
        ["/proxy.pac", "Proxy auto-configuration for browsers"],
        ["/healthz", "For load balancers: 200, or 503 while it shuts down"],
        ["/metrics", "For Prometheus, in its text format"],
      ],
    },
    { lines: `sluice --admin 127.0.0.1:9100` },
    { heading: "Metrics" },
    {
      terms: [
        ["sluice_uptime_seconds", "Seconds since the start"],
        [
          "sluice_connections_open, sluice_connections_total",
          "Connections of clients, now and since the start",
        ],
        [
          "sluice_requests_total{protocol}",
          "Requests, tunnels and associations that have ended, by what the client spoke",
        ],
        [
          "sluice_endings_total{ending}",
          "The same, by how they ended: completed, refused, timed_out, aborted",
        ],
        ["sluice_faults_total{fault}", 'The same, by what went wrong: see "sluice help faults"'],
        ["sluice_sent_bytes_total, sluice_received_bytes_total", "The bytes of all records"],
      ],
    },
    "Several workers are counted together. The proxy's own pages are never counted.",
  ],
};
