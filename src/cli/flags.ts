/**
 * Every flag of the command line: the one list from which parsing, environment names and help are derived.
 *
 * @module
 */

import { KEY_FILES } from "./key_files.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { DEFAULT_ENDPOINT } from "../endpoint.ts";
import { LOG_FORMATS } from "../observe/access_log.ts";
import { LEVELS } from "../observe/log.ts";
import type { CommandName } from "./commands.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from "../settings.ts";
import {
  formatSize,
  readAddress,
  readAuthority,
  readBlock,
  readBodySize,
  readContact,
  readCount,
  readEndpoint,
  readField,
  readFile,
  readForwardedMode,
  readLevel,
  readLogFormat,
  readMethod,
  readName,
  readNameServer,
  readPin,
  readPorts,
  readRule,
  readRuleProtocol,
  readSize,
  readSwitch,
  readTimeout,
  readUpstream,
  readUser,
  readWorkers,
} from "./values.ts";

/** The headings of the help. */
export type Group =
  | "Listening"
  | "Access"
  | "Upstreams"
  | "Destinations"
  | "Timeouts"
  | "Limits"
  | "Logs"
  | "Pair"
  | "Request"
  | "Question"
  | "About";

const RUNS_PROXY: readonly CommandName[] = ["serve", "remote", "local"];
const KNOWS_RULES: readonly CommandName[] = [...RUNS_PROXY, "explain"];
const RESOLVES: readonly CommandName[] = [...KNOWS_RULES, "check"];
const CHECKS: readonly CommandName[] = ["check"];

/** The commands that take a flag; undefined for all of them. */
export function commandsOf({ group, commands }: Flag): readonly CommandName[] | undefined {
  return commands ?? (group === "About" ? undefined : RUNS_PROXY);
}

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
  /** The flag that this one is short for, and its value; of a flag with a value, what stands before that. */
  readonly shorthand?: readonly [flag: string, text: string];
  /** The commands that take it; those that run a proxy where it is left out. */
  readonly commands?: readonly CommandName[];
  /** What separates several values in the environment; a comma where it is left out. */
  readonly separator?: string;
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
    help:
      "Where to listen: [SCHEME://]HOST:PORT or unix:PATH. SCHEME is auto, http, socks4, socks5 or line; with " +
      "+tls and ?cert=FILE&key=FILE over TLS. Port 0 takes a free one. May be repeated",
    fallback: DEFAULT_ENDPOINT,
    repeatable: true,
    read: readEndpoint,
  },
  "admin": {
    group: "Listening",
    value: "ENDPOINT",
    help:
      "A listener for the proxy's own pages alone: /, /healthz, /metrics, /proxy.pac. Clients of this machine " +
      "see them on the proxy's own port, too",
    read: readEndpoint,
  },
  "workers": {
    group: "Listening",
    value: "N",
    help:
      "How many processes (threads on Deno, which needs -R for them) serve the TCP listeners side by side, or " +
      "auto: one per processor. Limits are for all of them together. A Unix socket is served by one",
    fallback: "1",
    read: readWorkers,
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
  "users-file": {
    group: "Access",
    value: "FILE",
    help: 'Users in a file, one NAME:HASH to a line; "sluice passwd NAME" makes one. Read again at SIGHUP',
    read: readFile,
  },
  "max-attempts": {
    group: "Access",
    value: "N",
    help: "Wrong passwords a minute from one address; after that each attempt has to wait its turn",
    fallback: String(DEFAULT_LIMITS.attempts),
    read: readCount,
  },
  "allow-client": {
    group: "Access",
    value: "CIDR",
    help: "Clients that may use the proxy, such as 10.0.0.0/8; others are refused. May be repeated",
    repeatable: true,
    read: readBlock,
  },
  "contact": {
    group: "Access",
    value: "TEXT",
    help: "Whom those may ask who were refused: an address or a sentence for the error pages",
    read: readContact,
  },
  "proxy": {
    group: "Upstreams",
    short: "x",
    value: "ENDPOINT",
    help:
      "Where targets are reached by: [SCHEME://][USER:PASSWORD@]HOST:PORT of http, https, socks4, socks4a, " +
      "socks5, socks5h or line, unix:PATH, or direct. A,B is a chain; repeated, the first that works is taken. " +
      "Other programs of this machine can see flags: SLUICE_PROXY is the safer place",
    repeatable: true,
    separator: ";",
    commands: [...RUNS_PROXY, ...CHECKS],
    read: readUpstream,
  },
  "no-proxy": {
    group: "Upstreams",
    value: "LIST",
    help: "Targets that are reached directly, as in the environment variable NO_PROXY",
    read: (text) => text,
  },
  "route": {
    group: "Upstreams",
    value: "ROUTE",
    help: 'Where some targets are reached by, such as "*.onion via socks5h://127.0.0.1:9050"',
    shorthand: ["rule", "route"],
    commands: KNOWS_RULES,
    read: readRule,
  },
  "allow": {
    group: "Destinations",
    value: "MATCH",
    help:
      "Allow requests that match. With --deny and --rule it makes one list: the first that matches decides",
    shorthand: ["rule", "allow"],
    commands: KNOWS_RULES,
    read: readRule,
  },
  "deny": {
    group: "Destinations",
    value: "MATCH",
    help: 'Refuse requests that match, such as *.example.com, 192.0.2.0/24, *:25 or "*.test user=ann"',
    shorthand: ["rule", "deny"],
    commands: KNOWS_RULES,
    read: readRule,
  },
  "rule": {
    group: "Destinations",
    value: "RULE",
    help: 'A line as in a rules file, such as "deny *.example.com". May be repeated. Where a rule allows ' +
      "something, what none of them matches is refused",
    repeatable: true,
    separator: ";",
    commands: KNOWS_RULES,
    read: readRule,
  },
  "rules-file": {
    group: "Destinations",
    value: "FILE",
    help: "More rules, one to a line, behind those of the flags. Read again at SIGHUP",
    commands: KNOWS_RULES,
    read: readFile,
  },
  "connect-port": {
    group: "Destinations",
    value: "PORT",
    help: "Ports that tunnels (CONNECT, SOCKS) may go to, such as 443 or 8000-8999 (all). May be repeated",
    repeatable: true,
    commands: KNOWS_RULES,
    read: readPorts,
  },
  "dns": {
    group: "Destinations",
    value: "SERVER",
    help: "Name servers to ask, IP or IP:PORT, in place of the system's. May be repeated",
    repeatable: true,
    commands: RESOLVES,
    read: readNameServer,
  },
  "hosts-file": {
    group: "Destinations",
    value: "FILE",
    help: "Names and their addresses in the form of /etc/hosts, before any name server",
    commands: RESOLVES,
    read: readFile,
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
    commands: KNOWS_RULES,
    read: readSwitch,
  },
  "deny-private": {
    group: "Destinations",
    help:
      "Keep clients from private, loopback and link-local addresses also where only this machine can use " +
      "the proxy",
    fallback: "false",
    commands: KNOWS_RULES,
    read: readSwitch,
  },
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
  "remote": {
    group: "Pair",
    value: "HOST:PORT",
    help: "Where the remote half listens",
    commands: ["local"],
    read: readAuthority,
  },
  "pin": {
    group: "Pair",
    value: "PIN",
    help: 'The remote half\'s key, as "sluice keygen" has printed it: nobody else is trusted',
    commands: ["local"],
    read: readPin,
  },
  "token-file": {
    group: "Pair",
    value: "FILE",
    help: "The token that both halves know; the remote half takes several, one a line",
    fallback: KEY_FILES.token,
    commands: ["remote", "local"],
    read: readFile,
  },
  "cert": {
    group: "Pair",
    value: "FILE",
    help: "The certificate, in PEM; of the local half where the remote one asks for it",
    commands: ["remote", "local"],
    read: readFile,
  },
  "key": {
    group: "Pair",
    value: "FILE",
    help: "Its private key, in PEM",
    commands: ["remote", "local"],
    read: readFile,
  },
  "client-ca": {
    group: "Pair",
    value: "FILE",
    help:
      "Local halves must have a certificate that was signed by one of these (no certificate is asked for)",
    commands: ["remote"],
    read: readFile,
  },
  "out": {
    group: "Pair",
    value: "FOLDER",
    help: "Where the files are made",
    fallback: ".",
    commands: ["keygen"],
    environment: false,
    read: readFile,
  },
  "method": {
    group: "Request",
    value: "METHOD",
    help: "What to ask with, such as HEAD; there is never a body",
    fallback: "GET",
    commands: CHECKS,
    environment: false,
    read: readMethod,
  },
  "header": {
    group: "Request",
    value: "NAME:VALUE",
    help: "A header field, in place of one of our own. May be repeated",
    repeatable: true,
    commands: CHECKS,
    environment: false,
    read: readField,
  },
  "output": {
    group: "Request",
    short: "o",
    value: "FILE",
    help: 'Where the body goes; "-" is standard output, and the steps go to standard error then (nowhere)',
    commands: CHECKS,
    environment: false,
    read: readFile,
  },
  "ca": {
    group: "Request",
    value: "FILE",
    help: "The authorities in PEM that the target's certificate is judged by, in place of the usual ones",
    commands: CHECKS,
    environment: false,
    read: readFile,
  },
  "timeout": {
    group: "Request",
    value: "TIME",
    help: "Without anything happening, in each step",
    fallback: formatDuration(DEFAULT_TIMEOUTS.connect),
    commands: CHECKS,
    environment: false,
    read: readTimeout,
  },
  "as": {
    group: "Question",
    value: "USER",
    help: "The user who asks (nobody)",
    commands: ["explain"],
    environment: false,
    read: (text) => text,
  },
  "from": {
    group: "Question",
    value: "ADDRESS",
    help: "The client's IP address",
    fallback: "127.0.0.1",
    commands: ["explain"],
    environment: false,
    read: readAddress,
  },
  "protocol": {
    group: "Question",
    value: "PROTOCOL",
    help: "What the client speaks: http, connect, socks4, socks5 or udp (http for a URL, connect otherwise)",
    commands: ["explain"],
    environment: false,
    read: readRuleProtocol,
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
