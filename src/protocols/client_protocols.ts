/**
 * The table of client protocols as the rest of the program reads it: their names, their words in rules, and their rows.
 *
 * @module
 */

import type { ClientProtocol, RuleWords } from "./common/client_protocol.ts";
import { CLIENT_PROTOCOLS, type ClientProtocolName, type ClientProtocolRow } from "./table.ts";

/** The protocols that a listener can speak: `"http"`, `"socks4"`, `"socks5"` or `"line"`. */
export type Protocol = ClientProtocolName;

/** The words with which rules name the kinds of requests. */
export type RuleWord = ClientProtocolRow["ruleWords"]["tunnel"];

/** Any row. */
export type ProtocolRow = ClientProtocol<Protocol, RuleWord>;

/** Name → row. */
export const PROTOCOLS = Object.fromEntries(CLIENT_PROTOCOLS.map((row) => [row.name, row])) as Readonly<
  Record<Protocol, ProtocolRow>
>;

/** The protocol to set in programs that use a listener. A listener that detects protocols is an HTTP proxy to them. */
export function protocolFor(scheme: Protocol | "auto"): ProtocolRow {
  return PROTOCOLS[scheme === "auto" ? "http" : scheme];
}

/** The words of rules for these kinds of requests, first by kind and then by row. */
export function ruleWords(...kinds: readonly (keyof RuleWords)[]): readonly RuleWord[] {
  return kinds.flatMap((kind) => Object.values(PROTOCOLS).flatMap(({ ruleWords }) => ruleWords[kind] ?? []));
}

/** The word of rules for a kind of request. */
export function ruleWord(kind: keyof RuleWords, protocol: Protocol): RuleWord {
  const word = PROTOCOLS[protocol].ruleWords[kind];
  // Without a word, no rule could be about the request.
  if (word === undefined) throw new TypeError(`The row of ${protocol} has no word for the kind "${kind}"`);
  return word;
}
