/**
 * The flags that say how long things may take, how large they may grow, and where they are logged.
 *
 * @module
 */

import { formatDuration, parseDuration } from "../../text/duration.ts";
import { LOG_FORMATS } from "../../observe/access_log.ts";
import { LEVELS } from "../../observe/log.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../../settings.ts";
import type { Flag } from "./flag.ts";
import {
  formatSize,
  readBodySize,
  readCount,
  readFile,
  readLevel,
  readLogFormat,
  readSize,
  readSwitch,
  readTimeout,
} from "./values.ts";

/** Name → flag, in the order of the help. */
export const RUNNING_FLAGS = {
  "connect-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "Until a target is resolved and connected",
    fallback: formatDuration(DEFAULT_TIMEOUTS.connect),
    read: readTimeout,
  },
  "dns-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "Until a name is resolved",
    fallback: formatDuration(DEFAULT_TIMEOUTS.dns),
    read: readTimeout,
  },
  "header-timeout": {
    group: "Timeouts",
    value: "TIME",
    help:
      "Until a client's request head is complete; and until the next request of a client that was refused",
    fallback: formatDuration(DEFAULT_TIMEOUTS.header),
    read: readTimeout,
  },
  "idle-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "Without a byte in either direction",
    fallback: formatDuration(DEFAULT_TIMEOUTS.idle),
    read: readTimeout,
  },
  "stall-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "While bytes wait for a peer that takes none, and nothing else moves",
    fallback: formatDuration(DEFAULT_TIMEOUTS.stalled),
    read: readTimeout,
  },
  "drain-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "For transfers to finish after the first signal to stop; 0 cuts them off",
    fallback: formatDuration(DEFAULT_TIMEOUTS.drain),
    read: parseDuration,
  },
  "max-connections": {
    group: "Limits",
    value: "N",
    help: "Clients at once",
    fallback: String(DEFAULT_LIMITS.connections),
    read: readCount,
  },
  "max-per-client": {
    group: "Limits",
    value: "N",
    help: "Connections at once from one address, or from one client behind a load balancer (no limit)",
    read: readCount,
  },
  "max-header-size": {
    group: "Limits",
    value: "SIZE",
    help: "Bytes in a message head, which has up to 1,000 fields",
    fallback: formatSize(DEFAULT_LIMITS.headerSize),
    read: readSize,
  },
  "max-body-size": {
    group: "Limits",
    value: "SIZE",
    help: "Bytes in the body of a request (no limit)",
    read: readBodySize,
  },
  "access-log": {
    group: "Logs",
    value: "FILE",
    help: 'Where each request and tunnel gets a line; "-" is standard output, "off" nowhere',
    fallback: "-",
    read: readFile,
  },
  "log-format": {
    group: "Logs",
    value: "FORMAT",
    help: `How the access log is written: ${LOG_FORMATS.join(" or ")}`,
    fallback: "text",
    read: readLogFormat,
  },
  "log-query": {
    group: "Logs",
    help:
      "Keep the query strings of targets in the access log; they are left out, since they often hold secrets",
    fallback: "false",
    read: readSwitch,
  },
  "log-pages": {
    group: "Logs",
    help: "Give the proxy's own pages, such as /metrics and /healthz, lines in the access log, too",
    fallback: "false",
    read: readSwitch,
  },
  "log-level": {
    group: "Logs",
    value: "LEVEL",
    help: `What goes to standard error: ${LEVELS.slice(0, -1).join(", ")} or ${LEVELS.at(-1)}`,
    fallback: "info",
    read: readLevel,
  },
  "verbose": {
    group: "Logs",
    short: "v",
    help: "Same as --log-level debug",
    shorthand: ["log-level", "debug"],
    read: readSwitch,
  },
  "quiet": {
    group: "Logs",
    short: "q",
    help: "Same as --log-level error",
    shorthand: ["log-level", "error"],
    read: readSwitch,
  },
} as const satisfies Record<string, Flag>;
