/**
 * What is known of the protocols in the table: their names, the words that rules have for them, and the rows.
 *
 * @module
 */

import type { ClientProtocol, RuleWords } from "./common/client_protocol.ts";
import { CLIENT_PROTOCOLS, type ClientProtocolName, type ClientProtocolRow } from "./table.ts";

/** The protocols that a listener can speak: `"http"`, `"socks4"`, `"socks5"` or `"line"`. */
export type Protocol = ClientProtocolName;

/** What rules call the ways in which clients ask. */
export type RuleWord = ClientProtocolRow["ruleWords"]["tunnel"];

/** A row, whichever it is. */
export type ProtocolRow = ClientProtocol<Protocol, RuleWord>;

/** Name → row. */
export const PROTOCOLS = Object.fromEntries(CLIENT_PROTOCOLS.map((row) => [row.name, row])) as Readonly<
  Record<Protocol, ProtocolRow>
>;

/** The protocol by which programs are pointed at a listener: one for all that can be told apart is an HTTP proxy to them. */
export function protocolFor(scheme: Protocol | "auto"): ProtocolRow {
  return PROTOCOLS[scheme === "auto" ? "http" : scheme];
}

/** The words of rules, in the order of the kinds of requests and then of the rows. */
export function ruleWords(...kinds: readonly (keyof RuleWords)[]): readonly RuleWord[] {
  return kinds.flatMap((kind) => Object.values(PROTOCOLS).flatMap(({ ruleWords }) => ruleWords[kind] ?? []));
}

/** What rules call a request of a kind. */
export function ruleWord(kind: keyof RuleWords, protocol: Protocol): RuleWord {
  const word = PROTOCOLS[protocol].ruleWords[kind];
  // A request without a word would be one that no rule can be about.
  if (word === undefined) throw new TypeError(`The row of ${protocol} has no word for the kind "${kind}"`);
  return word;
}
