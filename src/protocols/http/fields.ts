/**
 * Field lines: looking up, writing (RFC 9110 section 5).
 *
 * @module
 */

import type { BlockWriter } from "../../streams/byte_block.ts";
import { ID_BITS, idAt, idOf, lengthOf, type Names, nextSlot, UNKNOWN } from "./names.ts";
import { COLON, COMMA, fromOctets, isBlank, listElements, lowerTokenByte, toOctets } from "./syntax.ts";

/** One field line. The name keeps its case, the value its octets. */
export interface FieldLine {
  readonly name: string;
  readonly value: string;
}

/** A line as it is sent, with its CRLF. */
export function writtenLine({ name, value }: FieldLine): string {
  return `${name}: ${value}\r\n`;
}

/** What is between a name and its value, and what is behind the value. */
const [BETWEEN, BEHIND] = [": ".length, "\r\n".length];

/** Where a line begins, and the id of its name, as one number. The octets of a section have room for 2^26 places. */
export type Place = number;

/** The number for a line. */
export function placeOf(start: number, id: number): Place {
  return start << ID_BITS | id;
}

/** Where the line begins. */
export function startOf(place: Place): number {
  return place >>> ID_BITS;
}

/** The id of its name. */
export function idIn(place: Place): number {
  return place & (1 << ID_BITS) - 1;
}

const NO_OCTETS = new Uint8Array(0);
const NO_PLACES: readonly Place[] = [placeOf(0, UNKNOWN)];
const NO_VALUES: readonly string[] = [];

/** In place of the index of a line that should be the only one of its name. */
export const SEVERAL = -2;

/**
 * A header or trailer section. Lines keep their order, and lines of the same name are never merged.
 *
 * It holds the octets of the lines as they are sent, and numbers. Text is made only for those who ask for it.
 */
export class Fields implements Iterable<FieldLine> {
  #octets: Uint8Array = NO_OCTETS;
  /** The lines, and behind them the end of the last. */
  #places: readonly Place[] = NO_PLACES;
  /** The names of all lines. */
  #names: Names = 0;

  /** Makes a section of the given lines. */
  constructor(lines?: Iterable<FieldLine>) {
    if (lines) this.#write(lines);
  }

  /**
   * A section that is part of some octets, which must not change. Each line begins where the one before it ends, and is
   * written as {@linkcode writtenLine} writes it. `places` has the lines, and behind them the end of the last.
   */
  static of(octets: Uint8Array, places: readonly Place[], names: Names): Fields {
    const fields = new Fields();
    fields.#octets = octets;
    fields.#places = places;
    fields.#names = names;
    return fields;
  }

  #write(lines: Iterable<FieldLine>): void {
    const places: Place[] = [];
    let text = "";
    for (const line of lines) {
      const id = idOf(line.name.toLowerCase());
      places.push(placeOf(text.length, id));
      this.#names |= 1 << id;
      text += writtenLine(line);
    }
    places.push(placeOf(text.length, UNKNOWN));
    this.#places = places;
    this.#octets = toOctets(text);
  }

  /** How many lines there are. */
  get length(): number {
    return this.#places.length - 1;
  }

  /** The octets that the lines are part of. */
  get octets(): Uint8Array {
    return this.#octets;
  }

  /** Whether there is a line with one of these names. */
  hasAny(names: Names): boolean {
    return (this.#names & names) !== 0;
  }

  /** Adds a line at the end, which costs as much as all lines before it. */
  append(name: string, value: string): void {
    this.#write([...this, { name, value }]);
  }

  /** Whether there is such a line. Names are given in lower case, here and below. */
  has(key: string): boolean {
    const id = idOf(key);
    return id === UNKNOWN ? this.find(key) >= 0 : (this.#names >>> id & 1) === 1;
  }

  /** The index of the first such line, from an index on. -1 if there is none. */
  find(key: string, from = 0): number {
    const id = idOf(key);
    if ((this.#names >>> id & 1) === 0) return -1;
    for (let i = from; i < this.length; i++) {
      const place = this.#places[i];
      if (idIn(place) === id && (id !== UNKNOWN || this.#isNamed(startOf(place), key))) return i;
    }
    return -1;
  }

  /** The index of the only such line. -1 if there is none, {@linkcode SEVERAL} if there are more. */
  findOnly(key: string): number {
    const index = this.find(key);
    return index >= 0 && this.find(key, index + 1) >= 0 ? SEVERAL : index;
  }

  #isNamed(start: number, key: string): boolean {
    for (let i = 0; i < key.length; i++) {
      if (lowerTokenByte(this.#octets[start + i]) !== key.charCodeAt(i)) return false;
    }
    return this.#octets[start + key.length] === COLON;
  }

  /** Where the value of the line with this index begins in the octets. */
  valueStart(index: number): number {
    return this.#nameEnd(index) + BETWEEN;
  }

  /** Where it ends. */
  valueEnd(index: number): number {
    return startOf(this.#places[index + 1]) - BEHIND;
  }

  #nameEnd(index: number): number {
    const place = this.#places[index];
    if (idIn(place) !== UNKNOWN) return startOf(place) + lengthOf(idIn(place));
    return this.#octets.indexOf(COLON, startOf(place));
  }

  #name(index: number): string {
    return fromOctets(this.#octets.subarray(startOf(this.#places[index]), this.#nameEnd(index)));
  }

  #value(index: number): string {
    return fromOctets(this.#octets.subarray(this.valueStart(index), this.valueEnd(index)));
  }

  /** The value of the first such line. */
  get(key: string): string | undefined {
    const index = this.find(key);
    return index < 0 ? undefined : this.#value(index);
  }

  /** The values of all such lines. */
  all(key: string): readonly string[] {
    let index = this.find(key);
    if (index < 0) return NO_VALUES;
    const values = [this.#value(index)];
    while ((index = this.find(key, index + 1)) >= 0) values.push(this.#value(index));
    return values;
  }

  /** The list elements of all such lines, in lower case. */
  tokens(key: string): readonly string[] {
    const values = this.all(key);
    return values.length === 0 ? NO_VALUES : listElements(values.join(",").toLowerCase());
  }

  /** The known names among the list elements of all such lines. */
  listed(key: string): Names {
    let names: Names = 0;
    for (let i = this.find(key); i >= 0; i = this.find(key, i + 1)) {
      names |= namesIn(this.#octets, this.valueStart(i), this.valueEnd(i));
    }
    return names;
  }

  /** The values of all such lines, without empty ones, and then the element, as one list (RFC 9110 section 5.3). */
  listWith(key: string, element: string): string {
    if (!this.has(key)) return element;
    return [...this.all(key).filter((value) => value !== ""), element].join(", ");
  }

  /** The lines for whose lower-case name `keep` returns true. */
  filter(keep: (key: string) => boolean): Fields {
    return new Fields([...this].filter(({ name }) => keep(name.toLowerCase())));
  }

  /**
   * Writes the lines, but for those with the names that are dropped: the known ones, and `others` in lower case. Lines
   * that are one behind the other are copied together.
   */
  write(out: BlockWriter, dropped: Names, others?: ReadonlySet<string>): void {
    const places = this.#places;
    let from = startOf(places[0]);
    for (let i = 0; i < places.length - 1; i++) {
      const id = idIn(places[i]);
      const isDropped = id === UNKNOWN
        ? others?.has(this.#name(i).toLowerCase())
        : (dropped >>> id & 1) === 1;
      if (!isDropped) continue;
      const start = startOf(places[i]);
      if (start > from) out.copy(this.#octets, from, start);
      from = startOf(places[i + 1]);
    }
    const end = startOf(places[places.length - 1]);
    if (end > from) out.copy(this.#octets, from, end);
  }

  /** The section as it is sent, each line with its CRLF. */
  toString(): string {
    const [start, end] = [this.#places[0], this.#places[this.length]].map(startOf);
    return fromOctets(this.#octets.subarray(start, end));
  }

  *[Symbol.iterator](): Iterator<FieldLine> {
    for (let i = 0; i < this.length; i++) yield { name: this.#name(i), value: this.#value(i) };
  }
}

/** The names in a list. */
function namesIn(octets: Uint8Array, start: number, end: number): Names {
  let names: Names = 0;
  for (let at = start; at < end; at++) {
    if (octets[at] === COMMA || isBlank(octets[at])) continue;
    const begin = at;
    let slot = 0;
    for (let lower; at < end && (lower = lowerTokenByte(octets[at])) > 0; at++) slot = nextSlot(slot, lower);
    let id = idAt(octets, begin, at, slot);
    for (; at < end && octets[at] !== COMMA; at++) if (!isBlank(octets[at])) id = UNKNOWN;
    names |= 1 << id;
  }
  return names;
}
