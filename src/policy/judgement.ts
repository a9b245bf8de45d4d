/**
 * Judges the target of a request by the rules, and by the addresses that it must not reach.
 *
 * @module
 */

import { parseIp } from "../addresses/host.ts";
import { reachedAt, spelledAddresses } from "../addresses/spelled_addresses.ts";
import type { Address, TcpAddress } from "../runtime/contract.ts";
import type { DestinationSettings } from "../settings/destinations.ts";
import { refuseSpecialPurpose } from "./destination_guard.ts";
import type { OwnAddresses } from "./own_addresses.ts";
import { refuseOwnListeners } from "./own_listeners.ts";
import type { RuleProtocol, RuleRequest } from "./rule_request.ts";
import { refuseDenied, type Rules } from "./rules.ts";

/** The parts of the proxy that a judgement uses. */
export interface JudgementServices {
  /** Who may go where. */
  readonly rules: () => Rules;
  readonly settings: DestinationSettings;
  /** The addresses of this machine. Clients must not reach them. */
  readonly ownAddresses: OwnAddresses;
  /** Where the proxy itself listens. */
  readonly listening: () => readonly Address[];
}

/** The two ends of a connection. */
export interface Ends {
  readonly local: Address;
  readonly remote: Address;
}

/** The question about a request for the rules. */
export function questionOf(
  { remote }: Pick<Ends, "remote">,
  { protocol, user, target }: { protocol: RuleProtocol; user: string | undefined; target: TcpAddress },
): RuleRequest {
  return { ...target, protocol, user, client: "host" in remote ? remote.host : undefined };
}

/**
 * Throws a `Fault` if the rules deny a request before its name is resolved. Otherwise it returns the question
 * for each address. If the rules allow every address of the name, this question says so (`allowedBy`), and `judge` does
 * not ask the same rules again.
 */
export function askRules({ rules }: Pick<JudgementServices, "rules">, question: RuleRequest): RuleRequest {
  const current = rules();
  if (!current.judges) return question;
  const decision = current.decide(question);
  refuseDenied(decision);
  // A host that is an address may carry another one inside, which the rules have not seen yet.
  const isName = parseIp(question.host) === undefined;
  return decision.verdict === "allow" && isName ? { ...question, allowedBy: current } : question;
}

/** Throws a `Fault` if the request must not reach an address, or must not use a connection. */
export function judge(
  { listening, settings, ownAddresses, rules }: JudgementServices,
  question: RuleRequest,
  { address, ends }: { readonly address: TcpAddress; readonly ends?: Ends },
): void {
  refuseOwnListeners(address, listening(), ends);
  if (settings.privateDestinations === "deny") {
    refuseSpecialPurpose(address, ends);
    ownAddresses.refuse(address);
  }
  const current = rules();
  if (!current.judges || question.allowedBy === current) return;
  for (const host of reachedAt(address.host)) refuseDenied(current.decide({ ...question, address: host }));
}

/**
 * Throws a `Fault` if the client must not reach a host that an upstream will resolve. It judges each address that some
 * resolver reads in the host. The addresses of other names are never known here, so no rule about addresses holds for
 * them. At the end of a Unix socket is the program that the operator chose, whatever host the client names: such a host
 * is not `guarded`, and only rules judge it.
 */
export function judgeUnresolved(
  services: JudgementServices,
  question: RuleRequest,
  { guarded }: { readonly guarded: boolean },
): void {
  const hosts = spelledAddresses(question.host);
  if (hosts.length === 0) refuseDenied(services.rules().decide(question, false));
  for (const host of hosts) {
    if (guarded) judge(services, question, { address: { host, port: question.port } });
    else refuseDenied(services.rules().decide({ ...question, address: host }));
  }
}
