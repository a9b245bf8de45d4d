/**
 * Who may go where: the first rule that matches a request decides.
 *
 * A rule about IP addresses cannot judge a name. The request is then unresolved, and asked about again once
 * the name is resolved, with the very address that is to be dialed.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import { type AccessRule, needRead, parseRule, type RouteRule, type Rule } from "./rule.ts";
import { holds, type RuleRequest, subjectOf, TUNNEL_PROTOCOLS } from "./rule_request.ts";
import { spelledAddresses } from "../addresses/spelled_addresses.ts";

/** What the rules say of a request. */
export interface Decision {
  /** `unresolved`: ask again with the address. */
  readonly verdict: "allow" | "deny" | "unresolved";
  /** The rule that decided; undefined where none matched. */
  readonly rule?: AccessRule;
}

/** What else is restricted. */
export interface RulesOptions {
  /** Ports and ranges (`"8000-8999"`) that tunnels may lead to, whatever protocol opens them; none given: all. */
  readonly connectPorts?: readonly (number | string)[];
}

/**
 * Rules in the order in which they are asked. Where none matches, a request is allowed, unless there is any
 * `allow` rule: whoever lists what is allowed means the rest to be denied.
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
  readonly #access: readonly AccessRule[];
  readonly #routes: readonly RouteRule[];
  readonly #otherwise: Decision;

  /**
   * Takes rules of every kind.
   *
   * @throws {UsageError} If one of the ports is none, or a rule was not read.
   */
  constructor(rules: readonly Rule[], { connectPorts = [] }: RulesOptions = {}) {
    const read = rules.map(needRead);
    const access = read.filter((rule) => rule.kind !== "route");
    this.#otherwise = { verdict: access.some(({ kind }) => kind === "allow") ? "deny" : "allow" };
    this.#access = [...connectRules(connectPorts), ...access];
    this.#routes = read.filter((rule) => rule.kind === "route");
  }

  /** Whether requests are judged at all. */
  get judges(): boolean {
    return this.#access.length > 0;
  }

  /**
   * The verdict on a request. With an address it is `allow` or `deny`; without one it may be `unresolved`,
   * and otherwise holds for whatever address the name has. `lies` says whether a name without an address lies in
   * the blocks of rules, where nobody will ever know: undefined for as long as that can still be found out.
   */
  decide(request: RuleRequest, lies?: boolean): Decision {
    if (this.#access.length === 0) return this.#otherwise;
    const subject = subjectOf(request, lies);
    for (const rule of this.#access) {
      const held = holds(rule.match, subject);
      if (held === false) continue;
      if (held) return { verdict: rule.kind, rule };
      // An address that cannot be read is not let pass unjudged.
      return request.address === undefined ? { verdict: "unresolved", rule } : { verdict: "deny", rule };
    }
    return this.#otherwise;
  }

  /**
   * The endpoints of the first route that matches, as written; undefined where none does.
   *
   * The route is chosen by what the client named, since the next proxy may be the one to resolve it: a name lies in a
   * block of addresses only where it spells an address, as `127.1` does, and `address` is ignored.
   */
  route(request: RuleRequest): string | undefined {
    if (this.#routes.length === 0) return undefined;
    const [address] = spelledAddresses(request.host);
    const subject = subjectOf({ ...request, address }, false);
    return this.#routes.find(({ match }) => holds(match, subject))?.via;
  }
}

/** Throws `http_request_denied` for a request that is denied; its message names the rule. */
export function refuseDenied({ verdict, rule }: Decision): void {
  if (verdict !== "deny") return;
  throw new Fault(
    "http_request_denied",
    rule ? `Denied by the rule "${rule.text}" (${rule.origin})` : "Denied: no rule allows it",
  );
}

/** The restriction of ports is a rule before all others. */
function connectRules(ports: readonly (number | string)[]): AccessRule[] {
  if (ports.length === 0) return [];
  const list = ports.map((port) => String(port).trim()).join(",");
  return [parseRule("deny", `protocol=${TUNNEL_PROTOCOLS.join(",")} !port=${list}`, "--connect-port")];
}
