/**
 * Every flag of the command line: the one list from which parsing, environment names and help are derived.
 *
 * @module
 */

import { formatDuration, parseDuration } from "../duration.ts";
import { DEFAULT_ENDPOINT } from "../endpoint.ts";
import { LOG_FORMATS } from "../observe/access_log.ts";
import { LEVELS } from "../observe/log.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../settings.ts";
import {
  formatSize,
  readBodySize,
  readCount,
  readEndpoint,
  readFile,
  readForwardedMode,
  readLevel,
  readLogFormat,
  readName,
  readSize,
  readSwitch,
  readTimeout,
  readUser,
} from "./values.ts";

/** The headings of the help. */
export type Group = "Listening" | "Access" | "Destinations" | "Timeouts" | "Limits" | "Logs" | "About";

/** One flag. Its name is the key in {@linkcode FLAGS}. */
export interface Flag {
  readonly group: Group;
  /** The one-letter name. */
  readonly short?: string;
  /** What stands for the value in the help; a flag without one is a switch. */
  readonly value?: string;
  readonly help: string;
  /** Taken where the flag is not given. Shown in the help, unless it is a switch's. */
  readonly fallback?: string;
  readonly repeatable?: true;
  /** The flag, and its value, that this one is short for. */
  readonly shorthand?: readonly [flag: string, text: string];
  /** Whether the environment has a say; it has not in questions about the program. */
  readonly environment?: false;
  /** Understands the value, or throws a `UsageError`. */
  readonly read: (text: string) => unknown;
}

/** Name → flag, in the order of the help. */
export const FLAGS = {
  "listen": {
    group: "Listening",
    short: "l",
    value: "ENDPOINT",
    help: "Where to listen: [SCHEME://]HOST:PORT or unix:PATH. SCHEME is auto, http, socks4 or socks5. " +
      "Port 0 takes a free one. May be repeated",
    fallback: DEFAULT_ENDPOINT,
    repeatable: true,
    read: readEndpoint,
  },
  "allow-open": {
    group: "Listening",
    help: "Listen beyond this machine, although anyone may then use the proxy",
    fallback: "false",
    read: readSwitch,
  },
  "name": {
    group: "Listening",
    value: "NAME",
    help: "What the proxy calls itself in Via and Proxy-Status (a random name)",
    read: readName,
  },
  "user": {
    group: "Access",
    short: "u",
    value: "NAME:PASSWORD",
    help:
      "Who may use the proxy: HTTP Basic and SOCKS5 clients must say so, SOCKS4 cannot. May be repeated. Other " +
      "programs of this machine can see flags: SLUICE_USER is the safer place",
    repeatable: true,
    read: readUser,
  },
  "forwarded": {
    group: "Destinations",
    value: "MODE",
    help: "What becomes of Forwarded and X-Forwarded-For: keep what the client sent, append its address, " +
      "replace them by it, or delete them",
    fallback: "keep",
    read: readForwardedMode,
  },
  "allow-private": {
    group: "Destinations",
    help:
      "Let clients reach private, loopback and link-local addresses also where others than this machine " +
      "can use the proxy",
    fallback: "false",
    read: readSwitch,
  },
  "deny-private": {
    group: "Destinations",
    help:
      "Keep clients from private, loopback and link-local addresses also where only this machine can use " +
      "the proxy",
    fallback: "false",
    read: readSwitch,
  },
  "connect-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "Until a target is resolved and connected",
    fallback: formatDuration(DEFAULT_TIMEOUTS.connect),
    read: readTimeout,
  },
  "header-timeout": {
    group: "Timeouts",
    value: "TIME",
    help: "Until a client's request head is complete",
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
  "max-header-size": {
    group: "Limits",
    value: "SIZE",
    help: "Bytes in a message head",
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
  "help": {
    group: "About",
    short: "h",
    help: "Show this help",
    fallback: "false",
    environment: false,
    read: readSwitch,
  },
  "version": {
    group: "About",
    short: "V",
    help: "Show the version",
    fallback: "false",
    environment: false,
    read: readSwitch,
  },
} as const satisfies Record<string, Flag>;

/** The name of a flag, without hyphens. */
export type FlagName = keyof typeof FLAGS;

/** The name of the environment variable that may stand for a flag. */
export function environmentName(name: string): string {
  return `SLUICE_${name.toUpperCase().replaceAll("-", "_")}`;
}
