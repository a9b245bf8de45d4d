/**
 * The options that say what is logged, and where.
 *
 * @module
 */

import { LOG_FORMAT_NAMES } from "../observe/access_log.ts";
import { LEVELS } from "../observe/log.ts";
import { anyOf } from "../text/word_list.ts";
import { FILE, oneOf, SWITCH } from "../settings/kinds.ts";
import type { OptionsFor } from "../settings/option.ts";

/** What leaves a record. */
export interface LogOptions {
  /** Also calls `onRecord` for the proxy's own pages. Off by default. Metrics never count these pages. */
  readonly recordPages?: boolean;
}

/** The rows, in the order of the help. */
export const LOG_OPTIONS = {
  "access-log": {
    ...FILE,
    group: "Logs",
    help: 'Where each request and tunnel gets a line; "-" is standard output, "off" nowhere',
    default: "-",
    reload: false,
  },
  "log-format": {
    ...oneOf(LOG_FORMAT_NAMES),
    group: "Logs",
    value: "FORMAT",
    help: `How the access log is written: ${anyOf(LOG_FORMAT_NAMES)}`,
    default: "text",
    reload: true,
  },
  "log-query": {
    ...SWITCH,
    group: "Logs",
    help:
      "Keep the query strings of targets in the access log; they are left out, since they often hold secrets",
    default: false,
    reload: true,
  },
  "log-pages": {
    ...SWITCH,
    group: "Logs",
    help: "Give the proxy's own pages, such as /metrics and /healthz, lines in the access log, too",
    default: false,
    setting: "recordPages",
    reload: true,
  },
  "log-level": {
    ...oneOf(LEVELS),
    group: "Logs",
    value: "LEVEL",
    help: `What goes to standard error: ${anyOf(LEVELS)}`,
    default: "info",
    reload: true,
  },
  "verbose": {
    ...SWITCH,
    group: "Logs",
    short: "v",
    help: "Same as --log-level debug",
    shorthand: ["log-level", "debug"],
  },
  "quiet": {
    ...SWITCH,
    group: "Logs",
    short: "q",
    help: "Same as --log-level error",
    shorthand: ["log-level", "error"],
  },
} as const satisfies OptionsFor<keyof LogOptions>;
