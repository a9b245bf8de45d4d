/**
 * Rules as people write them: `deny *.example.com port=443 !user=ann`.
 *
 * A rule is words with white space between them, and all of them must hold. Within a word commas mean "or";
 * a `!` before it means "not".
 *
 * - A word without `=` is targets: `example.com`, `*.example.com` (subdomains), `.example.com` (both), `*`,
 *   `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`; each may have ports of its own, `example.com:80,443`. See
 *   {@linkcode parseTargets}.
 * - `port=80,443,8000-8999`.
 * - `protocol=http,connect,socks4,socks5,line,udp`. See {@linkcode RuleProtocol}.
 * - `user=ann,bob`; `user=*` is every user who is logged in.
 * - `client=10.0.0.0/8,2001:db8::/32`: addresses of clients.
 *
 * @module
 */

import { suggest } from "../text/suggestion.ts";
import { UsageError } from "../text/usage_error.ts";
import { blockContains, parseIpBlock, suggestIpBlock } from "../addresses/ip_block.ts";
import { type Condition, type Match, RULE_PROTOCOLS, type RuleProtocol } from "./rule_request.ts";
import { includesPort, parsePorts, parseTargets } from "./rule_target.ts";

/**
 * A rule that was read, by `parseRules` or from a line of text. A proxy refuses an object of this shape that was made in
 * another way.
 */
export interface Rule {
  /** The verdict on a request that matches. `route` gives no verdict: it chooses the request's route. */
  readonly kind: "allow" | "deny" | "route";
  /** The rule in one line with its kind, without passwords. */
  readonly text: string;
  /** Where it was written: `--deny`, or `rules.txt:12`. */
  readonly origin: string;
}

/** A rule with its condition. */
interface Matching extends Rule {
  /** The words that must all hold. */
  readonly match: Match;
}

/** A rule that allows or denies. */
export interface AccessRule extends Matching {
  readonly kind: "allow" | "deny";
}

/** A rule that chooses a route. */
export interface RouteRule extends Matching {
  readonly kind: "route";
  /** The endpoints as written: not checked yet, and perhaps with passwords. */
  readonly via: string;
}

/** A rule of any kind, with its condition. */
export type ReadRule = AccessRule | RouteRule;

/**
 * Checks that a rule was read, and shows its condition.
 *
 * @throws {UsageError} If it was made in another way.
 */
export function needRead(rule: Rule): ReadRule {
  if (typeof rule === "object" && rule !== null && "match" in rule) return rule as ReadRule;
  throw new UsageError(
    'Invalid rule: give a line such as "deny *.example.com", or what parseRules() returns',
  );
}

/** The words that a rule may begin with. */
export const RULE_KINDS = ["allow", "deny", "route"] as const satisfies readonly Rule["kind"][];

/**
 * Reads a rule. `text` follows its kind: `MATCH`, or `MATCH via ENDPOINT` for a route.
 *
 * @throws {UsageError} If it is invalid. The message quotes the rule and says what is wrong, and what to write.
 *
 * @example
 * ```ts
 * parseRule("deny", "*.example.com,10.0.0.0/8 port=443", "--deny");
 * parseRule("route", ".corp.example via socks5://proxy.example:1080", "rules.txt:3");
 * ```
 */
export function parseRule(kind: AccessRule["kind"], text: string, origin: string): AccessRule;
/** Reads a rule that chooses a route. */
export function parseRule(kind: RouteRule["kind"], text: string, origin: string): RouteRule;
/** Reads a rule of any kind. */
export function parseRule(kind: Rule["kind"], text: string, origin: string): ReadRule;
export function parseRule(kind: Rule["kind"], text: string, origin: string): ReadRule {
  const line = redact(`${kind} ${text}`.trim().replace(/\s+/g, " "));
  try {
    if (kind !== "route") return { kind, match: parseMatch(text), text: line, origin };
    const [, match, via] = /^(.*?)(?<!\S)via(?!\S)(.*)$/s.exec(text) ?? [];
    if (!via?.trim()) throw new UsageError('where to is missing; write "route *.example.com via ENDPOINT"');
    return { kind, match: parseMatch(match), via: via.trim(), text: line, origin };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Invalid rule "${line}": ${redact(error.message)}`);
  }
}

/** Names a rule for messages: `deny *.example.com (rules.txt:12)`. */
export function describe({ text, origin }: Rule): string {
  return `${text} (${origin})`;
}

/** Leaves out the text before an endpoint's at sign, which may be a password. A rule's `user=` has no colon. */
function redact(text: string): string {
  return text.replace(/( via (?:[^\s/@]*:\/\/)?|(?<!\S)[^\s/:]*:\/\/).*@|(?<!\S)[^\s:]*:\S*@/s, "$1...@");
}

function parseMatch(text: string): Match {
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) throw new UsageError('what it is about is missing; write "*" for everything');
  const kinds = new Set<string>();
  return words.map((word) => {
    if (!word.startsWith("!")) {
      const { kind, condition } = parseWord(word);
      if (kinds.has(kind)) {
        throw new UsageError(
          `"${word}" is a second word about ${kind}, and all words must hold; join the two with a comma`,
        );
      }
      kinds.add(kind);
      return condition;
    }
    const { condition } = parseWord(word.slice(1));
    return (subject) => {
      const held = condition(subject);
      return held === undefined ? undefined : !held;
    };
  });
}

/** A word: its condition, and what it is about, such as "ports". */
interface Word {
  readonly kind: string;
  readonly condition: Condition;
}

function parseWord(word: string): Word {
  if (word === "") {
    throw new UsageError('a "!" stands alone; write it right before a word, as in "!port=443"');
  }
  if (word.startsWith("!")) throw new UsageError(`"!${word}" has a "!" too many; leave both out`);
  const equals = word.indexOf("=");
  if (equals < 0) return parseTargets(word);
  const key = word.slice(0, equals);
  if (/^(?:host|target|domain|address|ip)$/.test(key)) {
    throw new UsageError(`"${key}=" is unknown; write hosts and addresses alone, such as "example.com"`);
  }
  if (!isKey(key)) {
    const meant = suggest(key, Object.keys(VALUES));
    const known = Object.keys(VALUES).map((key) => `"${key}="`).join(", ");
    throw new UsageError(
      `"${key}=" is unknown; ${meant ? `did you mean "${meant}="?` : `use one of ${known}`}`,
    );
  }
  const values = word.slice(equals + 1);
  if (values.split(",").includes("")) {
    throw new UsageError(`"${word}" lacks a value; give values with commas and no white space between them`);
  }
  return { kind: `${key}s`, condition: VALUES[key](values) };
}

/** Key → the function that reads its values. */
const VALUES = { port: onPort, protocol: inProtocol, user: byUser, client: fromClient } as const;

function isKey(key: string): key is keyof typeof VALUES {
  return Object.hasOwn(VALUES, key);
}

function onPort(values: string): Condition {
  const ports = parsePorts(values);
  return ({ port }) => includesPort(ports, port);
}

function inProtocol(values: string): Condition {
  const protocols = values.split(",").map((value): RuleProtocol => {
    const protocol = RULE_PROTOCOLS.find((protocol) => protocol === value.toLowerCase());
    if (protocol) return protocol;
    const meant = value === "https" ? "connect" : suggest(value, RULE_PROTOCOLS);
    const advice = meant ? `did you mean "${meant}"?` : `use one of ${RULE_PROTOCOLS.join(", ")}`;
    throw new UsageError(`protocol "${value}" is unknown; ${advice}`);
  });
  return ({ protocol }) => protocols.includes(protocol);
}

function byUser(values: string): Condition {
  const users = values.split(",");
  if (users.includes("*")) return ({ user }) => user !== undefined;
  return ({ user }) => user !== undefined && users.includes(user);
}

function fromClient(values: string): Condition {
  const blocks = values.split(",").map((value) => {
    const block = parseIpBlock(value);
    if (block) return block;
    const meant = suggestIpBlock(value);
    throw new UsageError(
      meant
        ? `"${value}" has bits set beyond its prefix; write "${meant}"`
        : `client "${value}" is no IP address, nor a block such as "10.0.0.0/8"`,
    );
  });
  return ({ client }) => client !== undefined && blocks.some((block) => blockContains(block, client));
}
