/**
 * Field lines: parsed, looked up, written (RFC 9110 section 5, RFC 9112 section 5).
 *
 * @module
 */

import { malformed } from "../faults.ts";
import { fromOctets, HTAB, isToken, listElements, SP } from "./http1_syntax.ts";

/** One field line. The name keeps its case, the value its octets. */
export interface FieldLine {
  readonly name: string;
  readonly value: string;
}

/** A header or trailer section. Lines keep their order, and lines of the same name are never merged. */
export class Fields implements Iterable<FieldLine> {
  #lines: FieldLine[] = [];
  #keys: string[] = [];

  /** Makes a section of the given lines. */
  constructor(lines: Iterable<FieldLine> = []) {
    for (const { name, value } of lines) this.append(name, value);
  }

  /** How many lines there are. */
  get length(): number {
    return this.#lines.length;
  }

  /** Adds a line at the end. */
  append(name: string, value: string): void {
    this.#lines.push({ name, value });
    this.#keys.push(name.toLowerCase());
  }

  /** Adds to the value of the last line, as an obs-fold does. */
  extendLast(value: string): void {
    const last = this.#lines[this.#lines.length - 1];
    const joined = last.value && value ? `${last.value} ${value}` : last.value || value;
    this.#lines[this.#lines.length - 1] = { name: last.name, value: joined };
  }

  /** Whether there is such a line. Names are given in lower case, here and below. */
  has(key: string): boolean {
    return this.#keys.includes(key);
  }

  /** The value of the first such line. */
  get(key: string): string | undefined {
    return this.#lines[this.#keys.indexOf(key)]?.value;
  }

  /** The values of all such lines. */
  all(key: string): string[] {
    const values: string[] = [];
    for (let i = 0; i < this.#keys.length; i++) if (this.#keys[i] === key) values.push(this.#lines[i].value);
    return values;
  }

  /** The list elements of all such lines, in lower case. */
  tokens(key: string): string[] {
    return this.#keys.includes(key)
      ? this.all(key).flatMap(listElements).map((token) => token.toLowerCase())
      : [];
  }

  /** The values of all such lines, the empty ones aside, and an element behind them, as one list (RFC 9110 section 5.3). */
  listWith(key: string, element: string): string {
    return [...this.all(key).filter((value) => value !== ""), element].join(", ");
  }

  /** The lines whose lower-case name passes. */
  filter(keep: (key: string) => boolean): Fields {
    const kept = new Fields();
    for (let i = 0; i < this.#lines.length; i++) {
      if (!keep(this.#keys[i])) continue;
      kept.#lines.push(this.#lines[i]);
      kept.#keys.push(this.#keys[i]);
    }
    return kept;
  }

  /** The section as it goes onto the wire, each line with its CRLF. */
  toString(): string {
    let text = "";
    for (const { name, value } of this.#lines) text += `${name}: ${value}\r\n`;
    return text;
  }

  [Symbol.iterator](): Iterator<FieldLine> {
    return this.#lines[Symbol.iterator]();
  }
}

/** What the reader of a field line lets pass: a response is mended where RFC 9112 says so, a request never. */
export interface FieldLineOptions {
  readonly mend: boolean;
}

/**
 * Reads one field line, without its line end, into a section.
 *
 * In a request white space before the colon and obs-fold are refused (RFC 9112 sections 5.1 and 5.2: both have been
 * used for smuggling); in a response the one is removed and the other becomes a space.
 */
export function readFieldLine(line: Uint8Array, into: Fields, { mend }: FieldLineOptions): void {
  if (line[0] === SP || line[0] === HTAB) {
    if (!mend || into.length === 0) throw malformed("A field line begins with white space");
    into.extendLast(fieldValue(line, 0));
    return;
  }
  const colon = line.indexOf(0x3A);
  if (colon < 0) throw malformed("A field line has no colon");
  const name = fromOctets(line.subarray(0, mend ? trimmedEnd(line, colon) : colon));
  if (!isToken(name)) throw malformed(`A field name is not a token: "${name.slice(0, 40)}"`);
  into.append(name, fieldValue(line, colon + 1));
}

function fieldValue(line: Uint8Array, from: number): string {
  const to = trimmedEnd(line, line.length);
  while (from < to && (line[from] === SP || line[from] === HTAB)) from++;
  for (let i = from; i < to; i++) {
    // RFC 9110 section 5.5: CR, LF and NUL are dangerous, the other controls are invalid. obs-text is opaque.
    if ((line[i] < SP && line[i] !== HTAB) || line[i] === 0x7F) {
      throw malformed(`A field value has the control character 0x${line[i].toString(16).padStart(2, "0")}`);
    }
  }
  return from < to ? fromOctets(line.subarray(from, to)) : "";
}

function trimmedEnd(line: Uint8Array, end: number): number {
  while (end > 0 && (line[end - 1] === SP || line[end - 1] === HTAB)) end--;
  return end;
}
