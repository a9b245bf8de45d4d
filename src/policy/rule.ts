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
 * Behind the words, a route has `via ENDPOINT`, a limit `to AMOUNT`, and a bind `to ADDRESS`.
 *
 * @module
 */

import { suggest } from "../text/suggestion.ts";
import { UsageError } from "../text/usage_error.ts";
import { bitsBeyondPrefix, blockContains, parseIpBlock } from "../addresses/ip_block.ts";
import { RULE_PROTOCOLS, type RuleProtocol, type Subject } from "./rule_request.ts";
import { includesPort, parsePorts, parseTargets } from "./rule_target.ts";
import { Egress } from "./egress.ts";
import { type LimitTerms, parseTerms } from "./limit_amount.ts";
import { AllWords, type Key, Negation, Word } from "./word.ts";

/**
 * A rule that was read, by `parseRules` or from a line of text. A proxy refuses an object of this shape that was made in
 * another way.
 */
export interface Rule {
  /**
   * The verdict on a request that matches. `route` gives no verdict: it chooses the request's route. Nor does `limit`: it
   * says how much all such requests may use, and `bind` which address of this machine they are dialed from.
   */
  readonly kind: "allow" | "deny" | "route" | "limit" | "bind";
  /** The rule in one line with its kind, without passwords. */
  readonly text: string;
  /** Where it was written: `--deny`, or `rules.txt:12`. */
  readonly origin: string;
}

/** A rule with its condition. */
interface Matching extends Rule {
  /** Its words, all of which must hold. */
  readonly match: Word;
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

/** A rule that says how much the requests that match may use. */
export interface LimitRule extends Matching {
  readonly kind: "limit";
  readonly terms: LimitTerms;
}

/** A rule that says where the requests that match are dialed from. */
export interface BindRule extends Matching {
  readonly kind: "bind";
  readonly terms: Egress;
}

/** A rule of any kind, with its condition. */
export type ReadRule = AccessRule | RouteRule | LimitRule | BindRule;

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
export const RULE_KINDS = [
  "allow",
  "deny",
  "route",
  "limit",
  "bind",
] as const satisfies readonly Rule["kind"][];

/**
 * Reads a rule. `text` follows its kind: `MATCH`, `MATCH via ENDPOINT` for a route, `MATCH to AMOUNT` for a limit, or
 * `MATCH to ADDRESS` for a bind, whose match may be left out.
 * `source` is where it was written: a flag, or a file with the line.
 *
 * @throws {UsageError} If it is invalid. The message quotes the rule and says what is wrong, and what to write.
 *
 * @example
 * ```ts
 * parseRule("deny", "*.example.com,10.0.0.0/8 port=443", "--deny");
 * parseRule("route", ".corp.example via socks5://proxy.example:1080", "rules.txt:3");
 * ```
 */
export function parseRule(kind: AccessRule["kind"], text: string, source: string, line?: number): AccessRule;
/** Reads a rule that chooses a route. */
export function parseRule(kind: RouteRule["kind"], text: string, source: string, line?: number): RouteRule;
/** Reads a rule that limits. */
export function parseRule(kind: LimitRule["kind"], text: string, source: string, line?: number): LimitRule;
/** Reads a rule that binds. */
export function parseRule(kind: BindRule["kind"], text: string, source: string, line?: number): BindRule;
/** Reads a rule of any kind. */
export function parseRule(kind: Rule["kind"], text: string, source: string, line?: number): ReadRule;
export function parseRule(kind: Rule["kind"], text: string, source: string, line?: number): ReadRule {
  try {
    if (kind === "limit") return parseLimit(text, source, line);
    if (kind === "bind") return parseBind(text, source, line);
    if (kind !== "route") {
      return new ParsedRule({ kind, match: parseMatch(text), source, line }) as AccessRule;
    }
    const [, match, via] = /^(.*?)(?<!\S)via(?!\S)(.*)$/s.exec(text) ?? [];
    if (!via?.trim()) throw new UsageError('where to is missing; write "route *.example.com via ENDPOINT"');
    return new ParsedRule({ kind, match: parseMatch(match), via: via.trim(), source, line }) as RouteRule;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Invalid rule "${inOneLine(`${kind} ${text}`)}": ${redact(error.message)}`);
  }
}

/** The last `to` that stands alone is the rule's: a target may have this name. */
function parseLimit(text: string, source: string, line: number | undefined): LimitRule {
  const [, match, amount] = /^(.*)(?<!\S)to(?!\S)(.*)$/s.exec(text) ?? [];
  if (amount === undefined) throw new UsageError('how much is missing; write "limit * to 10MB/s per user"');
  const terms = parseTerms(amount);
  return new ParsedRule({ kind: "limit", match: parseMatch(match), terms, source, line }) as LimitRule;
}

/** A bind without a match is about everything. */
function parseBind(text: string, source: string, line: number | undefined): BindRule {
  const [, match = "*", places = text] = /^(.*)(?<!\S)to(?!\S)(.*)$/s.exec(text) ?? [];
  const terms = Egress.parse(places);
  return new ParsedRule({ kind: "bind", match: parseMatch(match), terms, source, line }) as BindRule;
}

/** Makes its texts when somebody asks for them: there may be a million rules. */
class ParsedRule implements Rule {
  readonly kind: Rule["kind"];
  readonly match: Word;
  readonly via: string | undefined;
  readonly terms: LimitTerms | Egress | undefined;
  readonly #source: string;
  readonly #line: number | undefined;

  constructor({ kind, match, via, terms, source, line }: {
    readonly kind: Rule["kind"];
    readonly match: Word;
    readonly via?: string;
    readonly terms?: LimitTerms | Egress;
    readonly source: string;
    readonly line: number | undefined;
  }) {
    this.kind = kind;
    this.match = match;
    this.via = via;
    this.terms = terms;
    this.#source = source;
    this.#line = line;
  }

  get text(): string {
    const end = this.terms ? ` to ${this.terms.text}` : this.via === undefined ? "" : ` via ${this.via}`;
    return inOneLine(`${this.kind} ${this.match.text}${end}`);
  }

  get origin(): string {
    return this.#line === undefined ? this.#source : `${this.#source}:${this.#line}`;
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

function inOneLine(rule: string): string {
  return redact(rule.trim().replace(/\s+/g, " "));
}

function parseMatch(text: string): Word {
  const trimmed = text.trim();
  if (trimmed === "") throw new UsageError('what it is about is missing; write "*" for everything');
  if (!/\s/.test(trimmed)) return parseWord(trimmed).word;
  const kinds = new Set<string>();
  return new AllWords(
    trimmed.split(/\s+/).map((text) => {
      const { kind, word } = parseWord(text);
      if (kind === undefined) return word;
      if (kinds.has(kind)) {
        throw new UsageError(
          `"${text}" is a second word about ${kind}, and all words must hold; join the two with a comma`,
        );
      }
      kinds.add(kind);
      return word;
    }),
  );
}

/** A word, and what it is about, such as "ports". Of words with a `!`, there may be several about one thing. */
interface ParsedWord {
  readonly kind: string | undefined;
  readonly word: Word;
}

function parseWord(text: string): ParsedWord {
  return text.startsWith("!")
    ? { kind: undefined, word: new Negation(parsePlainWord(text.slice(1)).word) }
    : parsePlainWord(text);
}

function parsePlainWord(word: string): { readonly kind: string; readonly word: Word } {
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
  return { kind: `${key}s`, word: VALUES[key](word, values) };
}

/** Key → the function that reads its values. */
const VALUES = { port: onPort, protocol: inProtocol, user: byUser, client: fromClient } as const;

function isKey(key: string): key is keyof typeof VALUES {
  return Object.hasOwn(VALUES, key);
}

/** A word whose answer is known without the address. */
class KnownWord extends Word {
  readonly text: string;
  readonly #test: (subject: Subject) => boolean;
  readonly #keys: readonly Key[] | undefined;

  constructor(text: string, test: (subject: Subject) => boolean, keys?: readonly Key[]) {
    super();
    this.text = text;
    this.#test = test;
    this.#keys = keys;
  }

  holds(subject: Subject): boolean {
    return this.#test(subject);
  }

  override keys(): readonly Key[] | undefined {
    return this.#keys;
  }
}

function onPort(text: string, values: string): Word {
  const ports = parsePorts(values);
  return new KnownWord(text, ({ port }) => includesPort(ports, port));
}

function inProtocol(text: string, values: string): Word {
  const protocols = values.split(",").map((value): RuleProtocol => {
    const protocol = RULE_PROTOCOLS.find((protocol) => protocol === value.toLowerCase());
    if (protocol) return protocol;
    const meant = value === "https" ? "connect" : suggest(value, RULE_PROTOCOLS);
    const advice = meant ? `did you mean "${meant}"?` : `use one of ${RULE_PROTOCOLS.join(", ")}`;
    throw new UsageError(`protocol "${value}" is unknown; ${advice}`);
  });
  return new KnownWord(text, ({ protocol }) => protocols.includes(protocol));
}

function byUser(text: string, values: string): Word {
  const users = values.split(",");
  if (users.includes("*")) return new KnownWord(text, ({ user }) => user !== undefined);
  return new KnownWord(
    text,
    ({ user }) => user !== undefined && users.includes(user),
    users.map((text) => ({ of: "user", text })),
  );
}

function fromClient(text: string, values: string): Word {
  const blocks = values.split(",").map((value) => {
    const block = parseIpBlock(value);
    if (block) return block;
    throw new UsageError(
      bitsBeyondPrefix(value) ?? `client "${value}" is no IP address, nor a block such as "10.0.0.0/8"`,
    );
  });
  return new KnownWord(
    text,
    ({ client }) => client !== undefined && blocks.some((block) => blockContains(block, client)),
    blocks.map((block) => ({ of: "client", block })),
  );
}
