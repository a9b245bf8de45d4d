/**
 * Several machines: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "Several machines serve the same clients behind a load balancer, or behind one name in DNS. They need the same config file; " +
    "with a store they also share what is counted.",
    { heading: "The same file on each machine" },
    {
      lines: `# sluice.toml
# 10.0.0.5 is the load balancer; without one: "0.0.0.0:3128"
listen = ["0.0.0.0:3128?proxy-protocol=10.0.0.5"]
# The pages: keep strangers from this port.
admin = "0.0.0.0:9100"
users-file = "users"
store = "redis://10.0.0.9:6379"
rules = [
  "limit * to 20 connections per client",
  "limit user=* to 50GB/month per user",
]`,
    },
    { heading: "Behind HAProxy" },
    "HAProxy passes bytes on and says who the client is (send-proxy-v2). It asks /readyz, so that a machine gets no new clients " +
    "while it shuts down or is full. Tunnels last long, so give them time, and count connections instead of taking turns.",
    {
      lines: `defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend proxy
  bind :3128
  default_backend sluices
backend sluices
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server check port 9100 inter 2s fall 2 send-proxy-v2
  server a 10.0.0.11:3128
  server b 10.0.0.12:3128
  server c 10.0.0.13:3128`,
    },
    { heading: "Behind DNS" },
    "One name with the address of each machine needs no load balancer. Clients take any address; most try another one only if they " +
    "cannot connect. So take an address out of DNS first, wait for as long as the name may be kept, and then stop the machine.",
    { heading: "A machine comes and goes" },
    {
      terms: [
        [
          "a new version",
          "SIGTERM on one machine after the other: it accepts nothing new, and what is open has --drain-timeout to finish. Raise " +
          "it for long tunnels",
        ],
        ["a new config", "SIGHUP, or POST /reload, on each: no connection is lost"],
        [
          "a machine dies",
          "Its connections are lost, and clients connect again. Its counts in the store end by themselves",
        ],
        [
          "the store dies",
          "Each machine goes on with its share, says so, and counts on when the store is back",
        ],
      ],
    },
    "Prometheus asks each machine for /metrics and adds up. The pages and sluice top show one machine, with all its workers.",
    "What is not shared: --max-connections, --max-per-client, --max-attempts, and which upstreams have failed.",
  ],
  groups: [],
};
