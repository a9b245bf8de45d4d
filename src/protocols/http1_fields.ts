/**
 * Field lines: parsed, looked up, written (RFC 9110 section 5, RFC 9112 section 5).
 *
 * @module
 */

import { malformed } from "../faults.ts";
import { HTAB, isBlank, isToken, listElements, SP } from "./http1_syntax.ts";

/** One field line. The name keeps its case, the value its octets. */
export interface FieldLine {
  readonly name: string;
  readonly value: string;
}

/** The strings of a line in a section: the name in lower case, the name, the value. */
const STRIDE = 3;

const NO_VALUES: readonly string[] = [];

/** A header or trailer section. Lines keep their order, and lines of the same name are never merged. */
export class Fields implements Iterable<FieldLine> {
  /** One array for all lines: three would cost a small message more than its lines. */
  readonly #strings: string[] = [];

  /** Makes a section of the given lines. */
  constructor(lines: Iterable<FieldLine> = []) {
    for (const { name, value } of lines) this.append(name, value);
  }

  /** How many lines there are. */
  get length(): number {
    return this.#strings.length / STRIDE;
  }

  /** Adds a line at the end. */
  append(name: string, value: string): void {
    this.#push(name, value, name.toLowerCase());
  }

  #push(name: string, value: string, key: string): void {
    this.#strings.push(key, name, value);
  }

  /** Where the next line of a name begins; -1 if there is none. */
  #find(key: string, from = 0): number {
    for (let i = from; i < this.#strings.length; i += STRIDE) if (this.#strings[i] === key) return i;
    return -1;
  }

  /** Adds to the value of the last line, as an obs-fold does. */
  extendLast(value: string): void {
    const last = this.#strings.length - 1;
    const before = this.#strings[last];
    this.#strings[last] = before && value ? `${before} ${value}` : before || value;
  }

  /** Whether there is such a line. Names are given in lower case, here and below. */
  has(key: string): boolean {
    return this.#find(key) >= 0;
  }

  /** The value of the first such line. */
  get(key: string): string | undefined {
    const at = this.#find(key);
    return at < 0 ? undefined : this.#strings[at + 2];
  }

  /** The values of all such lines. */
  all(key: string): readonly string[] {
    let at = this.#find(key);
    if (at < 0) return NO_VALUES;
    const values = [this.#strings[at + 2]];
    while ((at = this.#find(key, at + STRIDE)) >= 0) values.push(this.#strings[at + 2]);
    return values;
  }

  /** The list elements of all such lines, in lower case. */
  tokens(key: string): readonly string[] {
    const values = this.all(key);
    return values.length === 0 ? NO_VALUES : values.flatMap(listElements).map((token) => token.toLowerCase());
  }

  /** The values of all such lines, the empty ones aside, and an element behind them, as one list (RFC 9110 section 5.3). */
  listWith(key: string, element: string): string {
    if (!this.has(key)) return element;
    return [...this.all(key).filter((value) => value !== ""), element].join(", ");
  }

  /** The lines whose lower-case name passes. */
  filter(keep: (key: string) => boolean): Fields {
    const kept = new Fields();
    const strings = this.#strings;
    for (let i = 0; i < strings.length; i += STRIDE) {
      if (keep(strings[i])) kept.#push(strings[i + 1], strings[i + 2], strings[i]);
    }
    return kept;
  }

  /** The section as it goes onto the wire, each line with its CRLF: all of them, or those whose lower-case name passes. */
  toString(passes: (key: string) => boolean = () => true): string {
    let text = "";
    const strings = this.#strings;
    for (let i = 0; i < strings.length; i += STRIDE) {
      if (passes(strings[i])) text += `${strings[i + 1]}: ${strings[i + 2]}\r\n`;
    }
    return text;
  }

  *[Symbol.iterator](): Iterator<FieldLine> {
    for (let i = 0; i < this.#strings.length; i += STRIDE) {
      yield { name: this.#strings[i + 1], value: this.#strings[i + 2] };
    }
  }
}

/** What the reader of a field line lets pass: a response is mended where RFC 9112 says so, a request never. */
export interface FieldLineOptions {
  readonly mend: boolean;
}

/**
 * Reads one field line, its octets as text and without its line end, into a section.
 *
 * In a request white space before the colon and obs-fold are refused (RFC 9112 sections 5.1 and 5.2: both have been
 * used for smuggling); in a response the one is removed and the other becomes a space.
 */
export function readFieldLine(text: string, into: Fields, { mend }: FieldLineOptions): void {
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
    // RFC 9110 section 5.5: CR, LF and NUL are dangerous, the other controls are invalid. obs-text is opaque.
    if ((code < SP && code !== HTAB) || code === 0x7F) {
      throw malformed(`A field value has the control character 0x${code.toString(16).padStart(2, "0")}`);
    }
  }
  return text.slice(from, to);
}

function trimmedEnd(text: string, end: number): number {
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--;
  return end;
}
