/**
 * The topics of `sluice help TOPIC`: one row each. A page is loaded only when it is shown.
 *
 * @module
 */

import type { Page } from "./pages/page.ts";

/** A topic. Its name is the key in {@linkcode TOPICS}. */
export interface Topic {
  /** One line for the list of topics. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly page: Page }>;
}

/** Name → topic, in the order of the list. */
export const TOPICS: Readonly<Record<string, Topic>> = {
  config: {
    summary: "Options in a file, checked and shown",
    load: () => import("./pages/config.ts"),
  },
  migrate: {
    summary: "Coming from Squid, tinyproxy or gost",
    load: () => import("./pages/migrate.ts"),
  },
  listeners: {
    summary: "Where it listens, and when that is safe",
    load: () => import("./pages/listeners.ts"),
  },
  tls: {
    summary: "TLS on listeners and to upstreams",
    load: () => import("./pages/tls.ts"),
  },
  users: {
    summary: "Who may use it, and wrong passwords",
    load: () => import("./pages/users.ts"),
  },
  rules: {
    summary: "Where requests may go, and private addresses",
    load: () => import("./pages/rules.ts"),
  },
  upstreams: {
    summary: "Other proxies: chains, failover, routes",
    load: () => import("./pages/upstreams.ts"),
  },
  egress: {
    summary: "Which of this machine's addresses it dials from",
    load: () => import("./pages/egress.ts"),
  },
  pair: {
    summary: "One half here, one half elsewhere",
    load: () => import("./pages/pair.ts"),
  },
  timeouts: {
    summary: "How long things may take",
    load: () => import("./pages/timeouts.ts"),
  },
  limits: {
    summary: "How much clients may use: requests, bytes, bandwidth",
    load: () => import("./pages/limits.ts"),
  },
  logs: {
    summary: "The access log and the diagnostics",
    load: () => import("./pages/logs.ts"),
  },
  metrics: {
    summary: "The proxy's own pages, and what they count",
    load: () => import("./pages/metrics.ts"),
  },
  faults: {
    summary: "The names of failures, and who is told what",
    load: () => import("./pages/faults.ts"),
  },
  signals: {
    summary: "Stopping, and reading files anew",
    load: () => import("./pages/signals.ts"),
  },
  fleet: {
    summary: "Several machines, behind HAProxy or DNS",
    load: () => import("./pages/fleet.ts"),
  },
  workers: {
    summary: "Several processes on the same ports",
    load: () => import("./pages/workers.ts"),
  },
  variables: {
    summary: "Options in the environment",
    load: () => import("./pages/variables.ts"),
  },
  runtimes: {
    summary: "Deno, Bun and Node, and their permissions",
    load: () => import("./pages/runtimes.ts"),
  },
  library: {
    summary: "Using sluice from a program",
    load: () => import("./pages/library.ts"),
  },
};
