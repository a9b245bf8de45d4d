/**
 * Header and trailer sections: field lines up to an empty one, read strictly over octets (RFC 9112 sections 2.2 and 5).
 *
 * A section becomes an object when all of it has arrived. Until then its lines are checked as they come, so that a
 * client that begins wrongly is told at once, but they stay in the buffer: a section that never ends costs only its
 * bytes. If it arrives whole, each octet is looked at once; otherwise a few times, however slowly it arrives.
 *
 * @module
 */

import { type Fault, malformed } from "../../faults.ts";
import { BlockWriter, cutBytes } from "../../streams/byte_block.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import { type FieldLine, Fields, idIn, type Place, placeOf, startOf, writtenLine } from "../http/fields.ts";
import { idAt, type Names, nextSlot, UNKNOWN } from "../http/names.ts";
import {
  COLON,
  CR,
  fromOctets,
  isBlank,
  isToken,
  isValueByte,
  LF,
  lowerTokenByte,
  SP,
  trimmed,
} from "../http/syntax.ts";

/**
 * The most field lines of a head or a trailer section. HAProxy takes 101, Apache 100 and Node 2,000; Squid limits only
 * the bytes.
 */
export const MAX_FIELDS = 1000;

/** How the sections of requests, responses and bodies differ. */
export interface SectionRules {
  /**
   * Whether to mend what RFC 9112 says that a recipient of a response may: a line that ends with LF alone, white space
   * before the colon, and obs-fold. In requests all three have been used for smuggling.
   */
  readonly mend: boolean;
  /** Makes the fault if the lines, with their line ends, exceed the limit, in octets. */
  readonly tooLarge: (limit: number) => Fault;
  /** Makes the fault if there are more than {@link MAX_FIELDS} fields. */
  readonly tooMany: () => Fault;
}

const EMPTY_LINE = new Uint8Array(0);

/** Limits of a line. */
export interface LineOptions {
  /** Whether a line may end with LF alone. */
  readonly mend: boolean;
  /** The most octets of a line, with its line end. */
  readonly limit: number;
  /** Makes the fault for a longer line, even if its end has not arrived. */
  readonly tooLong: () => Fault;
}

/**
 * Takes one line off the buffer and removes its line end. Undefined while its end has not arrived. A request's lines
 * have to end with CRLF (RFC 9112 section 2.2 allows refusing a bare LF, and demands refusing a bare CR). A response's
 * lines may end with LF.
 */
export function takeLine(buffer: ByteBuffer, { mend, limit, tooLong }: LineOptions): Uint8Array | undefined {
  const end = buffer.lineEnd();
  if ((end < 0 ? buffer.length : end + 1) > limit) throw tooLong();
  if (end < 0) return undefined;
  const cr = end > 0 && buffer.at(end - 1) === CR;
  if (!cr && !mend) throw bareLineFeed();
  const length = cr ? end - 1 : end;
  const line = length === 0 ? EMPTY_LINE : buffer.take(length);
  buffer.skip(end + 1 - length);
  return line;
}

function bareLineFeed(): Fault {
  return malformed("A line ends with LF and not with CRLF");
}

/** Rewrites sections whose lines are not as we write them. */
const REWRITER = new BlockWriter();

/** The lines that were found. One object serves all sections, because they are taken over before anyone waits. */
class Notes {
  /** The places of the lines, counted from the first byte that waits, and of the end of the last. */
  readonly #places: Place[] = Array.from({ length: MAX_FIELDS + 2 }, () => 0);
  #names: Names = 0;
  count = 0;
  /** Where the last line's name ends, and where its value begins and ends. */
  #nameEnd = 0;
  #valueStart = 0;
  #valueEnd = 0;
  /** For each line that is not written as we would write it: its index and these three. */
  #unusual: number[] = [];
  /** The lines that others continue, by their index. */
  readonly #folded = new Map<number, FieldLine>();

  begin(): void {
    this.count = this.#names = 0;
    if (this.#unusual.length > 0) this.#unusual = [];
    if (this.#folded.size > 0) this.#folded.clear();
  }

  /**
   * Reads a field line, and returns where the next line begins. Returns -1 if it is not a valid one of its own, or has
   * not come whole.
   */
  line(octets: Uint8Array, base: number, start: number, end: number, mend: boolean): number {
    let at = start;
    let slot = 0;
    for (let lower; at < end && (lower = lowerTokenByte(octets[at])) > 0; at++) slot = nextSlot(slot, lower);
    const nameEnd = at;
    if (mend) { while (at < end && isBlank(octets[at])) at++; }
    if (nameEnd === start || at >= end || octets[at] !== COLON) return -1;
    for (at++; at < end && isBlank(octets[at]);) at++;
    const valueStart = at;
    while (at < end && isValueByte(octets[at])) at++;
    const isEnded = at + 1 < end && octets[at] === CR && octets[at + 1] === LF;
    if (!isEnded && !(mend && at < end && octets[at] === LF)) return -1;
    const next = isEnded ? at + 2 : at + 1;
    while (at > valueStart && isBlank(octets[at - 1])) at--;
    const id = idAt(octets, start, nameEnd, slot);
    this.#nameEnd = nameEnd;
    this.#valueStart = valueStart;
    this.#valueEnd = at;
    const isOurs = isEnded && at + 2 === next && octets[nameEnd] === COLON && octets[nameEnd + 1] === SP &&
      valueStart === nameEnd + 2;
    if (!isOurs) this.#unusual.push(this.count, nameEnd, valueStart, at);
    this.#places[this.count++] = placeOf(start - base, id);
    this.#names |= 1 << id;
    return next;
  }

  /** Appends to the value of the last line, as an obs-fold does. */
  extend(octets: Uint8Array, base: number, more: string): void {
    const index = this.count - 1;
    const { name, value } = this.#folded.get(index) ?? {
      name: fromOctets(octets.subarray(base + startOf(this.#places[index]), this.#nameEnd)),
      value: fromOctets(octets.subarray(this.#valueStart, this.#valueEnd)),
    };
    // Strings that are joined are copied when someone looks into them, and nobody does before the last fold.
    const joined = value === "" ? more : more === "" ? value : `${value} ${more}`;
    this.#folded.set(index, { name, value: joined });
  }

  /** The section: a copy of the octets from the first that waits up to the end of the last line. */
  fields(octets: Uint8Array, base: number, end: number): Fields {
    this.#places[this.count] = placeOf(end - base, UNKNOWN);
    if (this.#unusual.length + this.#folded.size > 0) return this.#rewritten(octets, base);
    const copy = cutBytes(end - base);
    copy.set(octets.subarray(base, end));
    return Fields.of(copy, this.#places.slice(0, this.count + 1), this.#names);
  }

  /** The section with its lines as we write them. */
  #rewritten(octets: Uint8Array, base: number): Fields {
    const places: Place[] = [];
    REWRITER.begin();
    REWRITER.copy(octets, base, base + startOf(this.#places[0]));
    let unusual = 0;
    for (let i = 0; i < this.count; i++) {
      places.push(placeOf(REWRITER.length, idIn(this.#places[i])));
      const start = base + startOf(this.#places[i]);
      const isUnusual = this.#unusual[unusual] === i;
      const folded = this.#folded.get(i);
      if (folded) REWRITER.text(writtenLine(folded));
      else if (isUnusual) {
        REWRITER.copy(octets, start, this.#unusual[unusual + 1]);
        REWRITER.text(": ");
        REWRITER.copy(octets, this.#unusual[unusual + 2], this.#unusual[unusual + 3]);
        REWRITER.text("\r\n");
      } else REWRITER.copy(octets, start, base + startOf(this.#places[i + 1]));
      if (isUnusual) unusual += 4;
    }
    places.push(placeOf(REWRITER.length, UNKNOWN));
    return Fields.of(REWRITER.take(), places, this.#names);
  }
}

const NOTES = new Notes();

/** Reads the lines of one section, within a limit for all of them. */
export class SectionReader {
  readonly #rules: SectionRules;
  readonly #limit: number;
  /** How many octets were taken off the buffer. */
  #taken = 0;
  /** How many octets at the front of the buffer are a start line, with its line end. */
  #begin = 0;
  /** How many octets at the front of the buffer are valid lines, and how many of these lines are fields. */
  #checked = 0;
  #count = 0;
  /** How many octets at the front of the buffer were searched for the end of the first line that is not checked. */
  #searched = 0;

  /** `limit` is the most octets of all lines together, with their line ends. */
  constructor(limit: number, rules: SectionRules) {
    this.#limit = limit;
    this.#rules = rules;
  }

  /**
   * The length of a start line that waits at the front of the buffer, without its line end. It stays there. Returns -1
   * if its end has not come.
   */
  startLine(buffer: ByteBuffer, tooLong: SectionRules["tooLarge"] = this.#rules.tooLarge): number {
    const { block, start, end } = buffer;
    const lf = this.#lineFeed(block, start, start, end);
    if (lf < 0) {
      this.#limitTo(buffer.length, tooLong);
      return -1;
    }
    this.#begin = this.#checked = lf + 1 - start;
    return this.#lineEnd(block, start, start, lf, tooLong) - start;
  }

  /** Takes an empty line off the buffer, which {@linkcode SectionReader.startLine} has found. */
  skipLine(buffer: ByteBuffer): void {
    buffer.skip(this.#begin);
    this.#taken += this.#begin;
    this.#begin = this.#checked = this.#searched = 0;
  }

  /**
   * Reads field lines and the empty line behind them, and takes them off the buffer together with the start line. The
   * octets of the section begin with the start line. Undefined: the empty line has not come.
   */
  read(buffer: ByteBuffer): Fields | undefined {
    const { block, start, end } = buffer;
    let empty = this.#walk(block, start, end);
    if (empty < 0) {
      this.#limitTo(buffer.length, this.#rules.tooLarge);
      return undefined;
    }
    if (this.#checked > this.#begin) {
      // Only the last lines were read now. Those before them were checked, and forgotten.
      this.#checked = this.#begin;
      this.#count = this.#searched = 0;
      empty = this.#walk(block, start, end);
    }
    const fields = NOTES.fields(block, start, empty);
    buffer.skip(empty + (block[empty] === CR ? 2 : 1) - start);
    return fields;
  }

  /**
   * Reads the lines behind those that are checked, and notes them. Returns where the empty line begins, or -1 if it has
   * not come.
   */
  #walk(octets: Uint8Array, base: number, end: number): number {
    const before = this.#count;
    let at = base + this.#checked;
    NOTES.begin();
    // A line that comes slowly is read when its end has come.
    if (this.#searched > this.#checked && this.#lineFeed(octets, base, at, end) < 0) return -1;
    while (true) {
      let next = NOTES.line(octets, base, at, end, this.#rules.mend);
      if (next >= 0) this.#limitTo(next - base, this.#rules.tooLarge);
      else {
        const lf = this.#lineFeed(octets, base, at, end);
        if (lf < 0) break;
        const lineEnd = this.#lineEnd(octets, base, at, lf, this.#rules.tooLarge);
        if (lineEnd === at) return at;
        this.#readFold(octets, base, fromOctets(octets.subarray(at, lineEnd)));
        next = lf + 1;
      }
      this.#count = before + NOTES.count;
      if (this.#count > MAX_FIELDS) throw this.#rules.tooMany();
      at = next;
    }
    this.#checked = at - base;
    return -1;
  }

  /** Reads a line that is no field line of its own. Only white space at its beginning continues the line before it. */
  #readFold(octets: Uint8Array, base: number, text: string): void {
    if (!isBlank(text.charCodeAt(0))) throw fieldLineFault(text, this.#rules);
    if (!this.#rules.mend || this.#count === 0) throw malformed("A field line begins with white space");
    const more = trimmed(text);
    const fault = valueFault(more);
    if (fault) throw fault;
    // The line before it may have been checked and forgotten. Then all will be read again.
    if (NOTES.count > 0) NOTES.extend(octets, base, more);
  }

  /** Where the LF is that ends a line. Returns -1 if it has not come. */
  #lineFeed(octets: Uint8Array, base: number, start: number, end: number): number {
    for (let i = Math.max(start, base + this.#searched); i < end; i++) if (octets[i] === LF) return i;
    this.#searched = end - base;
    return -1;
  }

  /** Where the line end begins that ends with this LF. */
  #lineEnd(
    octets: Uint8Array,
    base: number,
    start: number,
    lf: number,
    tooLong: SectionRules["tooLarge"],
  ): number {
    this.#limitTo(lf + 1 - base, tooLong);
    const cr = lf > start && octets[lf - 1] === CR;
    if (!cr && !this.#rules.mend) throw bareLineFeed();
    return cr ? lf - 1 : lf;
  }

  /** Refuses more octets than the limit allows, counted from the front of the buffer. */
  #limitTo(waiting: number, tooLong: SectionRules["tooLarge"]): void {
    if (this.#taken + waiting > this.#limit) throw tooLong(this.#limit);
  }
}

/** What is wrong with a field line. */
function fieldLineFault(text: string, { mend }: SectionRules): Fault {
  const colon = text.indexOf(":");
  if (colon < 0) return malformed("A field line has no colon");
  const name = mend ? trimmed(text.slice(0, colon)) : text.slice(0, colon);
  if (!isToken(name)) return malformed(`A field name is not a token: "${name.slice(0, 40)}"`);
  return valueFault(trimmed(text.slice(colon + 1))) ?? malformed("A field line is not valid");
}

/** What is wrong with a field's value, if anything is. */
function valueFault(value: string): Fault | undefined {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (!isValueByte(code)) {
      return malformed(`A field value has the control character 0x${code.toString(16).padStart(2, "0")}`);
    }
  }
  return undefined;
}
