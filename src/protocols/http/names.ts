/**
 * The names that this proxy itself looks at: field names, and options of Connection. Each has a number, its id.
 *
 * @module
 */

import { lowerTokenByte } from "./syntax.ts";

/** In lower case. A name's id is its place; no name has the place 0. There are 31 at most, so that a number holds a set. */
const NAMES = [
  "",
  "authorization",
  "cache-control",
  "close",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "proxy-support",
  "range",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "www-authenticate",
  "x-forwarded-for",
] as const;

/** A name that has an id. */
export type KnownName = Exclude<typeof NAMES[number], "">;

/** All of them. */
export const KNOWN_NAMES: readonly string[] = NAMES.slice(1);

/** How many bits an id has. */
export const ID_BITS = 5;

/** The id of every other name. */
export const UNKNOWN = 0;

/** Found by trial: with these, no two names share a slot. */
const [SLOTS, FACTOR] = [128, 7];

const IDS = new Map<string, number>(NAMES.map((name, id) => [name, id]));
const OCTETS = NAMES.map((name) => Uint8Array.from(name, (char) => char.charCodeAt(0)));
const TABLE = new Uint8Array(SLOTS);
OCTETS.forEach((octets, id) => TABLE[octets.reduce(nextSlot, 0)] = id);

/**
 * Adds a character of a name in lower case to a slot; begin with 0. After the last character, the name is in that slot.
 */
export function nextSlot(slot: number, lower: number): number {
  return (slot * FACTOR + lower) & (SLOTS - 1);
}

/** The id of a name in lower case. */
export function idOf(key: string): number {
  return IDS.get(key) ?? UNKNOWN;
}

/** The id of the name that these octets spell, in whatever case. `slot` is theirs. */
export function idAt(octets: Uint8Array, start: number, end: number, slot: number): number {
  const id = TABLE[slot];
  const name = OCTETS[id];
  if (name.length !== end - start) return UNKNOWN;
  for (let i = 0; i < name.length; i++) if (lowerTokenByte(octets[start + i]) !== name[i]) return UNKNOWN;
  return id;
}

/** How many characters the name with this id has. */
export function lengthOf(id: number): number {
  return OCTETS[id].length;
}

/** A set of ids. The bit of {@linkcode UNKNOWN} stands for any other name. */
export type Names = number;

/** The set of these names. */
export function namesOf(...names: readonly KnownName[]): Names {
  return names.reduce((set, name) => set | 1 << idOf(name), 0);
}

/** Whether a set has a name without an id. */
export function hasOthers(names: Names): boolean {
  return (names & 1 << UNKNOWN) !== 0;
}
