/**
 * The flags that say who may use the proxy, and where it may go.
 *
 * @module
 */

import { DEFAULT_LIMITS } from "../../settings.ts";
import { type Flag, KNOWS_RULES, RESOLVES, RUNS_PROXY } from "./flag.ts";
import {
  readBlock,
  readContact,
  readCount,
  readFile,
  readForwardedMode,
  readNameServer,
  readPorts,
  readRule,
  readSwitch,
  readUpstream,
  readUser,
} from "./values.ts";

/** Name → flag, in the order of the help. */
export const POLICY_FLAGS = {
  "user": {
    group: "Access",
    short: "u",
    synonyms: ["auth", "password", "proxy-user"],
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
  "keep-tunnels": {
    group: "Access",
    help: "At a reload, leave what is under way for users who were removed or have another password",
    fallback: "false",
    read: readSwitch,
  },
  "max-attempts": {
    group: "Access",
    value: "N",
    help:
      "Wrong passwords a minute from one address or IPv6 /64; after that each attempt waits its turn, or is told " +
      "503. A /56 has twice as many, a /48 three times",
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
    synonyms: ["upstream", "parent", "via"],
    value: "ENDPOINT",
    help:
      "Where targets are reached by: [SCHEME://][USER:PASSWORD@]HOST:PORT of http, https, socks4, socks4a, " +
      "socks5, socks5h or line, unix:PATH, or direct. A,B is a chain; repeated, the first that works is taken. " +
      "Other programs of this machine can see flags: SLUICE_PROXY is the safer place",
    repeatable: true,
    separator: ";",
    commands: [...RUNS_PROXY, "check"],
    read: readUpstream,
  },
  "no-proxy": {
    group: "Upstreams",
    value: "LIST",
    help:
      "Targets that are reached directly, as in the environment variable NO_PROXY: example.com and .example.com " +
      "are that name and what is under it, *.example.com is what is under it alone",
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
  "deny": {
    group: "Destinations",
    value: "MATCH",
    help: 'Refuse requests that match, such as *.example.com, 192.0.2.0/24, *:25 or "*.test user=ann"',
    shorthand: ["rule", "deny"],
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
      "Let clients reach private, loopback and link-local addresses also where others than the user of this " +
      "machine can come (see --allow-open)",
    fallback: "false",
    commands: KNOWS_RULES,
    read: readSwitch,
  },
  "deny-private": {
    group: "Destinations",
    help: "Keep clients from private, loopback and link-local addresses also where nobody else can come",
    fallback: "false",
    commands: KNOWS_RULES,
    read: readSwitch,
  },
} as const satisfies Record<string, Flag>;
