/**
 * Field lines: parsing, looking up, writing (RFC 9110 section 5, RFC 9112 section 5).
 *
 * @module
 */

import { malformed } from "../../faults.ts";
import { knownName, nextSlot } from "./names.ts";
import { HTAB, isBlank, isToken, listElements, lowerTokenByte, SP } from "./syntax.ts";

const COLON = 0x3A;
const CRLF = "\r\n";

/** One field line. The name keeps its case, the value its octets. */
export interface FieldLine {
  readonly name: string;
  readonly value: string;
}

/** The place of a line `Name: value` in a text that may hold others before and behind it. */
export interface Place {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const NO_VALUES: readonly string[] = [];

/** Takes the lines of a section one by one; see {@linkcode Fields}. */
export interface FieldSink {
  readonly length: number;
  place(key: string, place: Place): void;
  append(name: string, value: string): void;
  extendLast(more: string): void;
}

/** A header or trailer section. Lines keep their order, and lines of the same name are never merged. */
export class Fields implements FieldSink, Iterable<FieldLine> {
  /** The names of the lines in lower case. */
  readonly #keys: string[] = [];
  readonly #places: Place[] = [];

  /** Makes a section of the given lines. */
  constructor(lines: Iterable<FieldLine> = []) {
    for (const { name, value } of lines) this.append(name, value);
  }

  /** How many lines there are. */
  get length(): number {
    return this.#keys.length;
  }

  /** Adds a line at the end. */
  append(name: string, value: string): void {
    this.#push(name.toLowerCase(), `${name}: ${value}`);
  }

  #push(key: string, text: string): void {
    this.place(key, { text, start: 0, end: text.length });
  }

  /** Adds a line that is part of a text. `key` is its name in lower case. */
  place(key: string, place: Place): void {
    this.#keys.push(key);
    this.#places.push(place);
  }

  /** Appends to the value of the last line, as an obs-fold does. */
  extendLast(more: string): void {
    if (more === "") return;
    const key = this.#keys.pop()!;
    const { text, start, end } = this.#places.pop()!;
    const isEmpty = end - start === key.length + ": ".length;
    this.#push(key, `${text.slice(start, end)}${isEmpty ? "" : " "}${more}`);
  }

  /** Whether there is such a line. Names are given in lower case, here and below. */
  has(key: string): boolean {
    return this.#keys.indexOf(key) >= 0;
  }

  /** The value of the first such line. */
  get(key: string): string | undefined {
    const index = this.#keys.indexOf(key);
    return index < 0 ? undefined : this.#value(index);
  }

  /** The values of all such lines. */
  all(key: string): readonly string[] {
    let index = this.#keys.indexOf(key);
    if (index < 0) return NO_VALUES;
    const values = [this.#value(index)];
    while ((index = this.#keys.indexOf(key, index + 1)) >= 0) values.push(this.#value(index));
    return values;
  }

  #value(index: number): string {
    const { text, start, end } = this.#places[index];
    return text.slice(start + this.#keys[index].length + ": ".length, end);
  }

  /** The list elements of all such lines, in lower case. */
  tokens(key: string): readonly string[] {
    const values = this.all(key);
    return values.length === 0 ? NO_VALUES : listElements(values.join(",").toLowerCase());
  }

  /** The values of all such lines, without empty ones, and then the element, as one list (RFC 9110 section 5.3). */
  listWith(key: string, element: string): string {
    if (!this.has(key)) return element;
    return [...this.all(key).filter((value) => value !== ""), element].join(", ");
  }

  /** The lines for whose lower-case name `keep` returns true. */
  filter(keep: (key: string) => boolean): Fields {
    const kept = new Fields();
    this.#keys.forEach((key, i) => keep(key) && kept.place(key, this.#places[i]));
    return kept;
  }

  /**
   * The section as it is sent, each line with its CRLF: all lines, or those for whose lower-case name `passes` returns
   * true.
   */
  toString(passes: (key: string) => boolean = () => true): string {
    let written = "";
    // Lines that arrived directly one behind the other are copied together.
    let [from, to] = [0, 0];
    let source = "";
    for (let i = 0; i < this.#keys.length; i++) {
      if (!passes(this.#keys[i])) continue;
      const { text, start, end } = this.#places[i];
      if (start !== to + CRLF.length || text !== source) {
        if (to > 0) written += source.slice(from, to) + CRLF;
        source = text;
        from = start;
      }
      to = end;
    }
    return to > 0 ? written + source.slice(from, to) + CRLF : written;
  }

  *[Symbol.iterator](): Iterator<FieldLine> {
    for (let i = 0; i < this.#keys.length; i++) {
      const { text, start } = this.#places[i];
      yield { name: text.slice(start, start + this.#keys[i].length), value: this.#value(i) };
    }
  }
}

/** How to read a field line. A response is mended where RFC 9112 says so; a request never is. */
export interface FieldLineOptions {
  readonly mend: boolean;
}

/** Whole lines that have arrived. */
export interface ReceivedLines {
  readonly octets: Uint8Array;
  /** The same as text. */
  readonly text: string;
}

/**
 * Reads one field line, from `start` to its line end at `end`, into a section.
 *
 * In a request, white space before the colon and obs-fold are refused (RFC 9112 sections 5.1 and 5.2), because both
 * have been used for smuggling. In a response, the white space is removed and obs-fold becomes a space.
 */
export function readFieldLine(
  { octets, text }: ReceivedLines,
  { start, end }: { readonly start: number; readonly end: number },
  into: FieldSink,
  { mend }: FieldLineOptions,
): void {
  let nameEnd = start;
  let slot = 0;
  for (let lower; (lower = lowerTokenByte(octets[nameEnd])) > 0; nameEnd++) slot = nextSlot(slot, lower);
  if (nameEnd > start && isPlainValue(octets, nameEnd, end)) {
    const key = knownName(octets, { start, end: nameEnd, slot }) ?? text.slice(start, nameEnd).toLowerCase();
    into.place(key, { text, start, end });
  } else readUnusualLine(text.slice(start, end), into, mend);
}

/** Whether the octets behind a name are what we would write: a colon, a space, and a valid value. */
function isPlainValue(octets: Uint8Array, from: number, end: number): boolean {
  const first = from + ": ".length;
  if (octets[from] !== COLON || octets[from + 1] !== SP || first >= end) return false;
  if (isBlank(octets[first]) || isBlank(octets[end - 1])) return false;
  for (let i = first; i < end; i++) if (isControl(octets[i])) return false;
  return true;
}

function readUnusualLine(text: string, into: FieldSink, mend: boolean): void {
  if (isBlank(text.charCodeAt(0))) {
    if (!mend || into.length === 0) throw malformed("A field line begins with white space");
    into.extendLast(fieldValue(text, 0));
    return;
  }
  const colon = text.indexOf(":");
  if (colon < 0) throw malformed("A field line has no colon");
  const name = text.slice(0, mend ? trimmedEnd(text, colon) : colon);
  if (!isToken(name)) throw malformed(`A field name is not a token: "${name.slice(0, 40)}"`);
  into.append(name, fieldValue(text, colon + 1));
}

function fieldValue(text: string, from: number): string {
  const to = trimmedEnd(text, text.length);
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (isControl(code)) {
      throw malformed(`A field value has the control character 0x${code.toString(16).padStart(2, "0")}`);
    }
  }
  return text.slice(from, to);
}

/** RFC 9110 section 5.5: CR, LF and NUL are dangerous, the other controls are invalid. obs-text is opaque. */
function isControl(code: number): boolean {
  return (code < SP && code !== HTAB) || code === 0x7F;
}

function trimmedEnd(text: string, end: number): number {
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--;
  return end;
}
