/**
 * Who may go where: the first rule that matches a request decides.
 *
 * A rule about IP addresses cannot judge a name. The verdict is then `unresolved`, and the caller asks again with the
 * address that it will dial.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import {
  type AccessRule,
  type BindRule,
  type LimitRule,
  needRead,
  parseRule,
  type RouteRule,
  type Rule,
} from "./rule.ts";
import { type RuleRequest, Subject, TUNNEL_PROTOCOLS } from "./rule_request.ts";
import { RuleIndex } from "./rule_index.ts";
import { spelledAddresses } from "../addresses/spelled_addresses.ts";

/** The verdict of the rules on a request. */
export interface Decision {
  /** `unresolved`: ask again with the address. */
  readonly verdict: "allow" | "deny" | "unresolved";
  /** The rule that decided; undefined if none matched. */
  readonly rule?: AccessRule;
}

/** Restrictions beside the rules. */
export interface RulesOptions {
  /** Ports and ranges (`"8000-8999"`) that tunnels of any protocol may lead to; all if the list is empty. */
  readonly connectPorts?: readonly (number | string)[];
}

/**
 * Rules, asked in their order. A request that matches none is allowed. If there is any `allow` rule, it is denied: an
 * operator who lists what is allowed wants the rest denied.
 *
 * @example
 * ```ts
 * import { parseRule } from "./rule.ts";
 *
 * const rules = new Rules([parseRule("deny", "*.example.com", "--deny")], { connectPorts: [443] });
 * const request = { host: "www.example.com", port: 443, user: "ann", client: "::1" };
 * rules.decide({ ...request, protocol: "connect" }).verdict; // "deny"
 * ```
 */
export class Rules {
  readonly #access: RuleIndex<AccessRule>;
  readonly #routes: RuleIndex<RouteRule>;
  readonly #binds: RuleIndex<BindRule>;
  /** The limits. They say nothing about where requests may go. */
  readonly limits: readonly LimitRule[];
  readonly #otherwise: Decision;

  /**
   * Takes rules of every kind.
   *
   * @throws {UsageError} If a port is invalid, or a rule was not read.
   */
  constructor(rules: readonly Rule[], { connectPorts = [] }: RulesOptions = {}) {
    const read = rules.map(needRead);
    const access = read.filter((rule): rule is AccessRule => rule.kind === "allow" || rule.kind === "deny");
    this.#otherwise = { verdict: access.some(({ kind }) => kind === "allow") ? "deny" : "allow" };
    this.#access = new RuleIndex([...connectRules(connectPorts), ...access]);
    this.#routes = new RuleIndex(read.filter((rule) => rule.kind === "route"));
    this.#binds = new RuleIndex(read.filter((rule) => rule.kind === "bind"));
    this.limits = read.filter((rule) => rule.kind === "limit");
  }

  /** Whether there are any rules that allow or deny. */
  get judges(): boolean {
    return this.#access.size > 0;
  }

  /**
   * The verdict on a request. With an address it is `allow` or `deny`. Without one it may be `unresolved`; any other
   * verdict then holds for every address of the name. `lies` is for a name that we never resolve: it says whether such a
   * name counts as an address in the blocks of rules. It is undefined for a name that we can still resolve.
   */
  decide(request: RuleRequest, lies?: boolean): Decision {
    if (this.#access.size === 0) return this.#otherwise;
    const subject = new Subject(request, lies);
    const rule = this.#access.first(subject);
    if (!rule) return this.#otherwise;
    if (rule.match.holds(subject)) return { verdict: rule.kind, rule };
    // The address is there, but cannot be read: deny rather than let it pass unjudged.
    return request.address === undefined ? { verdict: "unresolved", rule } : { verdict: "deny", rule };
  }

  /** The limits that a request meets, by the name that the client gives. */
  limitsOf(request: RuleRequest): LimitRule[] {
    const subject = namedSubject(request);
    return this.limits.filter(({ match }) => match.holds(subject));
  }

  /**
   * The endpoints of the first route that matches, as written; undefined if none matches.
   *
   * The host that the client named decides, and `address` is ignored: perhaps only the upstream resolves the name. A name
   * is in a block of addresses only if it spells an address, as `127.1` does.
   */
  route(request: RuleRequest): string | undefined {
    if (this.#routes.size === 0) return undefined;
    return this.#routes.first(namedSubject(request))?.via;
  }

  /** Where to dial from: the first bind that matches the host that the client named. Undefined: the system chooses. */
  bind(request: RuleRequest): BindRule | undefined {
    if (this.#binds.size === 0) return undefined;
    return this.#binds.first(namedSubject(request));
  }
}

/**
 * A request by the host that the client named: an address only if the name spells one, since perhaps only the upstream
 * resolves it.
 */
export function namedSubject(request: RuleRequest): Subject {
  const [address] = spelledAddresses(request.host);
  return new Subject({ ...request, address }, false);
}

/** Throws `http_request_denied` if the verdict is `deny`; the message names the rule. */
export function refuseDenied({ verdict, rule }: Decision): void {
  if (verdict !== "deny") return;
  throw new Fault(
    "http_request_denied",
    rule ? `Denied by the rule "${rule.text}" (${rule.origin})` : "Denied: no rule allows it",
  );
}

/** Makes the rule about ports, which stands before all others. */
function connectRules(ports: readonly (number | string)[]): AccessRule[] {
  if (ports.length === 0) return [];
  const list = ports.map((port) => String(port).trim()).join(",");
  return [parseRule("deny", `protocol=${TUNNEL_PROTOCOLS.join(",")} !port=${list}`, "--connect-port")];
}
