/**
 * The options about rules and names: where clients may go, and which route they take.
 *
 * @module
 */

import { parseNameServer } from "../addresses/host.ts";
import { maskChain, placeChain } from "../dialing/upstream.ts";
import type { Rule } from "../policy/rule.ts";
import { parsePorts } from "../policy/rule_target.ts";
import { parseRuleLine } from "../policy/rules_file.ts";
import { FILE, isTextOrObject, SWITCH, TEXT } from "../settings/kinds.ts";
import { type FileContext, KNOWS_RULES, MASK, type OptionsFor, RESOLVES } from "../settings/option.ts";
import { UsageError } from "../text/usage_error.ts";

/** A line as in a rules file. */
const RULE = {
  value: "RULE",
  read: parseRuleLine,
  schema: { type: "string" },
  inFile: (text: string, file: FileContext) => withVia(text, (via) => placeChain(via, file)),
  masked: (text: string) => withVia(text, maskChain),
  takes: "a line as in a rules file, or a rule",
  accepts: isTextOrObject,
} as const;

/** Where clients may go, and which route they take. */
export interface RuleOptions {
  /**
   * Who may go where. Each rule is a line as in a rules file: `deny *.example.com`, `allow 192.0.2.0/24 port=443 user=ann`.
   * The first rule that matches decides. A request that matches no rule is allowed, but if there is any `allow` rule, it
   * is refused. No rules by default. `sluice help rules` explains all words.
   */
  readonly rules?: readonly (string | Rule)[];
  /** Ports, or ranges such as `8000-8999`, that tunnels may lead to; all by default. */
  readonly connectPorts?: readonly (number | string)[];
  /** Name servers to ask. Each is `IP`, `IP:PORT` or `[IPV6]:PORT`. The system's by default. */
  readonly nameServers?: readonly string[];
}

/** The rows, in the order of the help. */
export const RULE_OPTIONS = {
  "route": {
    ...RULE,
    group: "Upstreams",
    value: "ROUTE",
    help: 'Where some targets are reached by, such as "*.onion via socks5h://127.0.0.1:9050"',
    shorthand: ["rule", "route"],
    commands: KNOWS_RULES,
  },
  "deny": {
    ...RULE,
    group: "Destinations",
    value: "MATCH",
    help: 'Refuse requests that match, such as *.example.com, 192.0.2.0/24, *:25 or "*.test user=ann"',
    shorthand: ["rule", "deny"],
    commands: KNOWS_RULES,
  },
  "allow": {
    ...RULE,
    group: "Destinations",
    value: "MATCH",
    help:
      "Allow requests that match. With --deny and --rule it makes one list: the first that matches decides",
    shorthand: ["rule", "allow"],
    commands: KNOWS_RULES,
  },
  "limit": {
    ...RULE,
    group: "Limits",
    value: "LIMIT",
    help:
      'How much all that match may use, such as "* to 10MB/s per user" or "* to 20 connections per client"; see ' +
      '"sluice help limits"',
    shorthand: ["rule", "limit"],
    commands: KNOWS_RULES,
  },
  "bind": {
    ...RULE,
    group: "Upstreams",
    value: "ADDRESS",
    help:
      'Dial from this address, block or interface of this machine, as in "192.0.2.7", "2001:db8::/64 per user" or ' +
      '"user=ann to eth1"; see "sluice help egress"',
    shorthand: ["rule", "bind"],
    commands: KNOWS_RULES,
  },
  "state": {
    ...FILE,
    group: "Limits",
    help: "Keep used quotas in a file, over a restart",
    unset: "none",
    reload: false,
  },
  "store": {
    ...TEXT,
    group: "Limits",
    value: "URL",
    help:
      "Share the counts of limits with other machines, redis://[USER:PASSWORD@]HOST[:PORT][/DB] or rediss://. Other " +
      "programs of this machine can see flags: SLUICE_STORE, or ?password=FILE, is the safer place",
    unset: "none",
    reload: false,
    read: readStoreUrl,
    masked: (text) => text.replace(/(:\/\/[^/?#@]*?:)[^/?#@]*@/, `$1${MASK}@`),
  },
  "rule": {
    ...RULE,
    group: "Destinations",
    help: 'A line as in a rules file, such as "deny *.example.com". May be repeated. Where a rule allows ' +
      "something, what none of them matches is refused",
    unset: "none",
    repeatable: true,
    separator: ";",
    commands: KNOWS_RULES,
    setting: "rules",
    reload: true,
  },
  "rules-file": {
    ...FILE,
    group: "Destinations",
    help: "More rules, one to a line, behind those of the flags. Read again at SIGHUP",
    unset: "none",
    commands: KNOWS_RULES,
    reload: true,
  },
  "connect-port": {
    group: "Destinations",
    value: "PORT",
    help: "Ports that tunnels (CONNECT, SOCKS) may go to, such as 443 or 8000-8999. May be repeated",
    unset: "all",
    repeatable: true,
    commands: KNOWS_RULES,
    setting: "connectPorts",
    reload: true,
    read: readPorts,
    schema: { type: ["integer", "string"], pattern: "^[0-9]+(-[0-9]+)?$" },
    takes: 'a port, or a range such as "8000-8999"',
    accepts: (value: unknown) => typeof value === "string" || typeof value === "number",
  },
  "dns": {
    ...TEXT,
    group: "Destinations",
    value: "SERVER",
    help: "Name servers to ask, IP or IP:PORT, in place of the system's. May be repeated",
    unset: "none",
    repeatable: true,
    commands: RESOLVES,
    setting: "nameServers",
    reload: true,
    read: readNameServer,
  },
  "hosts-file": {
    ...FILE,
    group: "Destinations",
    help: "Names and their addresses in the form of /etc/hosts, before any name server",
    unset: "none",
    commands: RESOLVES,
    reload: true,
  },
  "allow-private": {
    ...SWITCH,
    group: "Destinations",
    help:
      "Let clients reach private, loopback and link-local addresses also where others than the user of this " +
      "machine can come (see --allow-open)",
    default: false,
    commands: KNOWS_RULES,
    reload: true,
  },
  "deny-private": {
    ...SWITCH,
    group: "Destinations",
    help: "Keep clients from private, loopback and link-local addresses also where nobody else can come",
    default: false,
    commands: KNOWS_RULES,
    reload: true,
  },
} as const satisfies OptionsFor<keyof RuleOptions>;

/** Replaces the endpoint of a route. */
function withVia(rule: string, replace: (via: string) => string): string {
  return rule.replace(/(\svia\s+)(\S+)\s*$/, (_, word: string, via: string) => word + replace(via));
}

/** Checks the address of a store, and returns the text unchanged. No message quotes it: it may have a password. */
function readStoreUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.hostname && /^rediss?:$/.test(url.protocol) && /^\/?\d*$/.test(url.pathname)) return text;
  throw new UsageError('Invalid store: give an address such as "redis://127.0.0.1:6379"');
}

/** Checks a port or a range of ports, and returns the text unchanged. */
function readPorts(text: string): string {
  try {
    parsePorts(text);
    return text;
  } catch (error) {
    throw new UsageError(`Invalid ports "${text}": ${(error as Error).message}`);
  }
}

/** Checks a name server, and returns the text unchanged. */
function readNameServer(text: string): string {
  if (parseNameServer(text)) return text;
  throw new UsageError(
    `Invalid name server "${text}": give an IP address, such as "9.9.9.9" or "[::1]:5353"`,
  );
}
