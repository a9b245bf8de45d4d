/**
 * The hosts, addresses and ports that a rule is about.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { asciiName } from "../addresses/ascii_name.ts";
import { bitsBeyondPrefix, blockContains, type IpBlock, parseIpBlock } from "../addresses/ip_block.ts";
import type { Answer, Subject } from "./rule_request.ts";
import { type Key, Word } from "./word.ts";
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
  readonly word: Word;
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
  if (!word.includes(",")) return parseTarget(splitPorts(word));
  const items: Item[] = [];
  for (const item of word.split(",")) {
    const before = items.at(-1);
    if (before?.ports !== undefined && /^[0-9-]+$/.test(item)) before.ports += `,${item}`;
    else items.push(splitPorts(item));
  }
  const targets = items.map(parseTarget);
  return {
    word: targets.length === 1 ? targets[0].word : new AnyTarget(targets.map(({ word }) => word)),
    kind: targets.every(({ kind }) => kind === "addresses") ? "addresses" : "names",
  };
}

/** A target as it was written. */
interface Item {
  host: string;
  ports?: string;
}

/** An IPv6 address has ports only behind brackets or a prefix length. Other colons belong to the address. */
function splitPorts(item: string): Item {
  if (!item.includes(":")) return { host: item };
  const [, host, ports] = /^(\[[^\]]*\](?:\/[0-9]*)?|[^/]*:[^/]*\/[0-9]*|[^:]*)(?::([^:]*))?$/.exec(item) ??
    [];
  return { host: host ?? item, ports };
}

function parseTarget({ host, ports }: Item): Targets {
  const target = parseTargetHost(host);
  if (ports === undefined) return target;
  return { ...target, word: new TargetOnPorts(target.word, { text: ports, ranges: parsePorts(ports) }) };
}

function parseTargetHost(host: string): Targets {
  if (host === "*") return { kind: "names", word: new Anything() };
  const block = mayBeBlock(host) ? parseBlock(host) : undefined;
  if (block) return { kind: "addresses", word: new Block(host, block) };
  const start = host.startsWith("*.") ? 2 : host.startsWith(".") ? 1 : 0;
  const name = asciiName(host.slice(start));
  if (name === undefined || NUMERIC.test(name)) throw new UsageError(complaint(host));
  return { kind: "names", word: start === 0 ? new Name(host, name) : new Ending(host, name) };
}

/** `*`: every host. */
class Anything extends Word {
  readonly text = "*";

  holds(): Answer {
    return true;
  }
}

/** A word about the name of a host. */
abstract class NameWord extends Word {
  readonly text: string;
  /** The name, without wildcards, as subjects have it. */
  protected readonly name: string;

  constructor(text: string, name: string) {
    super();
    this.text = text;
    this.name = name;
  }
}

/** `example.com`. */
class Name extends NameWord {
  holds({ name }: Subject): Answer {
    return name === this.name;
  }

  override keys(): readonly Key[] {
    return [{ of: "name", text: this.name }];
  }
}

/** `*.example.com`, which is the names under it, or `.example.com`, which is also the name itself. */
class Ending extends NameWord {
  holds({ name }: Subject): Answer {
    if (!name.endsWith(this.name)) return false;
    const before = name.length - this.name.length;
    return before === 0 ? this.text.startsWith(".") : name[before - 1] === ".";
  }

  override keys(): readonly Key[] {
    return [{ of: "ending", text: this.name }];
  }
}

/** A block of addresses. */
class Block extends Word {
  readonly text: string;
  readonly #block: IpBlock;

  constructor(text: string, block: IpBlock) {
    super();
    this.text = text;
    this.#block = block;
  }

  holds({ address, unresolved }: Subject): Answer {
    return address ? blockContains(this.#block, address) : unresolved;
  }

  override keys(): readonly Key[] {
    return [{ of: "address", block: this.#block }];
  }

  /** All blocks give the same answer while the address is not known. No host is written like this. */
  override get gist(): string {
    return "?";
  }
}

/** A target on some of its ports. */
class TargetOnPorts extends Word {
  readonly #target: Word;
  readonly #ports: { readonly text: string; readonly ranges: readonly PortRange[] };

  constructor(target: Word, ports: { readonly text: string; readonly ranges: readonly PortRange[] }) {
    super();
    this.#target = target;
    this.#ports = ports;
  }

  get text(): string {
    return `${this.#target.text}:${this.#ports.text}`;
  }

  holds(subject: Subject): Answer {
    return includesPort(this.#ports.ranges, subject.port) && this.#target.holds(subject);
  }

  override keys(): readonly Key[] | undefined {
    return this.#target.keys();
  }

  override get gist(): string {
    return `${this.#target.gist}:${this.#ports.text}`;
  }
}

/** Several targets. */
class AnyTarget extends Word {
  readonly #targets: readonly Word[];

  constructor(targets: readonly Word[]) {
    super();
    this.#targets = targets;
  }

  get text(): string {
    return this.#targets.map(({ text }) => text).join(",");
  }

  holds(subject: Subject): Answer {
    let answer: Answer = false;
    for (const target of this.#targets) {
      const held = target.holds(subject);
      if (held) return true;
      if (held === undefined) answer = undefined;
    }
    return answer;
  }

  override keys(): readonly Key[] | undefined {
    const keys = this.#targets.map((target) => target.keys());
    return keys.includes(undefined) ? undefined : keys.flatMap((some) => some ?? []);
  }

  override get gist(): string {
    return [...new Set(this.#targets.map(({ gist }) => gist))].join(",");
  }
}

/** Whether a host may be a block of addresses: no name is written with a colon or a bracket. */
function mayBeBlock(host: string): boolean {
  return /^[0-9]/.test(host) || host.includes(":");
}

function parseBlock(host: string): IpBlock | undefined {
  const [, inside, prefix = ""] = /^\[(.*:.*)\](\/[0-9]*)?$/.exec(host) ?? [];
  return parseIpBlock(inside === undefined ? withoutRoot(host) : inside + prefix);
}

function complaint(host: string): string {
  if (host === "") return `a host is missing; write "*" for every host, and no white space behind commas`;
  const beyond = bitsBeyondPrefix(host.replace(/[[\]]/g, ""), host);
  if (beyond) return beyond;
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
