/**
 * The hosts, addresses and ports that a rule is about.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { asciiName } from "../addresses/ascii_name.ts";
import { blockContains, type IpBlock, parseIpBlock, suggestIpBlock } from "../addresses/ip_block.ts";
import type { Answer, Condition, Subject } from "./rule_request.ts";
import { withoutRoot } from "../addresses/host.ts";

/** Ports from the first to the last, both included. */
export interface PortRange {
  /** From 1. */
  readonly first: number;
  /** Up to 65535. */
  readonly last: number;
}

/** A list of targets. */
export interface Targets {
  /** Holds if the request is for one of the targets. */
  readonly condition: Condition;
  /** `addresses` if all targets are IP addresses or blocks. */
  readonly kind: "names" | "addresses";
}

/** A port, or a host that URLs read as an IPv4 address (WHATWG URL, "ends in a number"). Neither can be a name. */
const NUMERIC = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$|^[0-9-]+$/;

/**
 * Reads targets with commas between them. Each may have ports of its own.
 *
 * A number or range behind a comma belongs to the ports before it: `a.com,b.com:80,443` is `a.com` on any
 * port, and `b.com` on 80 and 443. This is never ambiguous, because a host is never a number.
 *
 * @throws {UsageError} If a target is invalid. The message names the target and the mistake, but not the rule.
 */
export function parseTargets(word: string): Targets {
  if (word.includes("//")) {
    throw new UsageError(`"${word}" is a URL; write its host alone, such as "example.com"`);
  }
  const items: { host: string; ports?: string }[] = [];
  for (const item of word.split(",")) {
    const before = items.at(-1);
    if (before?.ports !== undefined && /^[0-9-]+$/.test(item)) before.ports += `,${item}`;
    else items.push(splitPorts(item));
  }
  const hosts = items.map(({ host }) => parseTargetHost(host));
  const conditions = hosts.map((host, i) => {
    const { ports } = items[i];
    return ports === undefined ? host.condition : onPorts(host.condition, parsePorts(ports));
  });
  return {
    condition: conditions.length === 1 ? conditions[0] : (subject) => anyHolds(conditions, subject),
    kind: hosts.every(({ kind }) => kind === "addresses") ? "addresses" : "names",
  };
}

function anyHolds(conditions: readonly Condition[], subject: Subject): Answer {
  let answer: Answer = false;
  for (const condition of conditions) {
    const held = condition(subject);
    if (held) return true;
    if (held === undefined) answer = undefined;
  }
  return answer;
}

function onPorts(condition: Condition, ports: readonly PortRange[]): Condition {
  return (subject) => includesPort(ports, subject.port) && condition(subject);
}

/** An IPv6 address has ports only behind brackets or a prefix length. Other colons belong to the address. */
function splitPorts(item: string): { host: string; ports?: string } {
  const [, host, ports] = /^(\[[^\]]*\](?:\/[0-9]*)?|[^/]*:[^/]*\/[0-9]*|[^:]*)(?::([^:]*))?$/.exec(item) ??
    [];
  return { host: host ?? item, ports };
}

function parseTargetHost(host: string): Targets {
  if (host === "*") return { kind: "names", condition: () => true };
  const block = parseBlock(host);
  if (block) return { kind: "addresses", condition: inBlock(block) };
  const [, prefix = "", rest] = /^(\*\.|\.)?(.*)$/s.exec(host) ?? [];
  const name = asciiName(rest);
  if (name === undefined || NUMERIC.test(name)) throw new UsageError(complaint(host));
  return { kind: "names", condition: NAME_CONDITIONS[prefix](name, `.${name}`) };
}

const NAME_CONDITIONS: Record<string, (name: string, ending: string) => Condition> = {
  "": (itself) => ({ name }) => name === itself,
  ".": (itself, ending) => ({ name }) => name === itself || name.endsWith(ending),
  "*.": (_, ending) => ({ name }) => name.endsWith(ending),
};

function inBlock(block: IpBlock): Condition {
  return ({ address, unresolved }) => address ? blockContains(block, address) : unresolved;
}

function parseBlock(host: string): IpBlock | undefined {
  const [, inside, prefix = ""] = /^\[(.*:.*)\](\/[0-9]*)?$/.exec(host) ?? [];
  return parseIpBlock(inside === undefined ? withoutRoot(host) : inside + prefix);
}

function complaint(host: string): string {
  if (host === "") return `a host is missing; write "*" for every host, and no white space behind commas`;
  const meant = suggestIpBlock(host.replace(/[[\]]/g, ""));
  if (meant) return `"${host}" has bits set beyond its prefix; write "${meant}"`;
  if (host.includes("/")) {
    return `"${host}" is no block of addresses, such as "10.0.0.0/8"; rules know no paths`;
  }
  if (host.includes("*")) {
    return `"${host}" has a "*" out of place; write "*", or "*.example.com" for subdomains`;
  }
  if (/^[0-9-]+$/.test(host)) {
    return `"${host}" is no host; ports go behind one, "*:${host}", or "port=${host}"`;
  }
  if (NUMERIC.test(host)) return `"${host}" is no IP address; write all of it, such as "192.0.2.1"`;
  if (/^\[.*\]$/.test(host)) return `"${host}" is no IPv6 address; brackets are for these, as in "[::1]:443"`;
  return `"${host}" is neither a host name nor an IP address`;
}

/**
 * Reads ports and ranges with commas between them: `80,443,8000-8999`.
 *
 * @throws {UsageError} If a port is invalid. The message names the port and the mistake.
 */
export function parsePorts(text: string): readonly PortRange[] {
  return text.split(",").map((item) => {
    const [, from, to = from] = /^([0-9]+)(?:-([0-9]+))?$/.exec(item) ?? [];
    if (from === undefined) {
      throw new UsageError(`port "${item}" is no number; write ports such as "80,443,8000-8999"`);
    }
    const [first, last] = [Number(from), Number(to)];
    const outside = [first, last].find((port) => port < 1 || port > 65535);
    if (outside !== undefined) throw new UsageError(`port ${outside} does not exist; ports are 1 to 65535`);
    if (first > last) throw new UsageError(`ports "${item}" end before they begin; write "${to}-${from}"`);
    return { first, last };
  });
}

/** Whether a port is in one of the ranges. */
export function includesPort(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => port >= first && port <= last);
}
