/**
 * DNS messages: a question for the addresses of a name, and its answer (RFC 1035 section 4, RFC 3596).
 *
 * Written by hand because Deno's resolver does not ask for names with an underscore inside a label or a hyphen at its
 * beginning, and reports SERVFAIL and REFUSED as names that do not exist. DNS itself carries any octets (RFC 2181
 * section 11).
 *
 * @module
 */

import { formatIpv4, formatIpv6 } from "../src/addresses/host.ts";

/** An address, and how many seconds it is valid. */
export interface FoundAddress {
  readonly address: string;
  readonly ttl?: number;
}

/** The answer of a server. */
export interface NameAnswer {
  /** The response code: 0 is no error, 3 (NXDOMAIN) a name that does not exist. */
  readonly rcode: number;
  /** Whether the answer did not fit. Then the question has to be asked again over TCP. */
  readonly truncated: boolean;
  /** The addresses of the name, or of the name that it is an alias of. Empty if the answer has no such record. */
  readonly addresses: readonly FoundAddress[];
}

const TYPES = { 4: 1, 6: 28 } as const;
const CNAME = 5;
const INTERNET = 1;

const HEADER_SIZE = 12;

/** The most octets of a name on the wire, including the lengths of its labels (RFC 1035 section 2.3.4). */
const MAX_NAME = 255;

/** A name of 255 octets has no more labels than this. More pointers than labels would only take time. */
const MAX_POINTERS = 127;

/** The two highest bits of an octet that begins a pointer, and not a label (RFC 1035 section 4.1.4). */
const POINTER = 0xC0;

/** An alias, and how many seconds it is valid. */
interface Alias {
  readonly name: string;
  readonly ttl: number;
}

/**
 * Writes a question for the addresses of one family. It asks the server to ask other servers.
 *
 * Throws an `Error` with the code `EBADNAME` if DNS cannot carry the name: it has an empty label, a label of more than
 * 63 octets, a character beyond ASCII, or more than 255 octets.
 */
export function writeQuery(host: string, { id, family }: { id: number; family: 4 | 6 }): Uint8Array {
  const labels = host.replace(/\.$/, "").split(".");
  // deno-lint-ignore no-control-regex
  const fits = labels.every((label) => /^[\x00-\x7F]{1,63}$/.test(label));
  const name = labels.map((label) => `${String.fromCharCode(label.length)}${label}`).join("") + "\0";
  if (!fits || name.length > MAX_NAME) throw nameError("EBADNAME", "DNS cannot carry this name");
  const query = new Uint8Array(HEADER_SIZE + name.length + 4);
  const view = new DataView(query.buffer);
  view.setUint16(0, id);
  // RD, recursion desired.
  view.setUint16(2, 0x0100);
  view.setUint16(4, 1);
  for (let i = 0; i < name.length; i++) query[HEADER_SIZE + i] = name.charCodeAt(i);
  view.setUint16(query.length - 4, TYPES[family]);
  view.setUint16(query.length - 2, INTERNET);
  return query;
}

/**
 * Reads the answer to a question. Undefined if the message is anything else: a stranger may have made it up. Throws an
 * `Error` with the code `EBADRESP` if the message answers the question and is malformed.
 */
export function readAnswer(message: Uint8Array, query: Uint8Array): NameAnswer | undefined {
  if (message.length < query.length) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const flags = view.getUint16(2);
  // The bit QR marks an answer. The opcode is 0, a standard query.
  const answers = view.getUint16(0) === (query[0] << 8 | query[1]) && (flags & 0xF800) === 0x8000;
  if (!answers || view.getUint16(4) !== 1) return undefined;
  for (let i = HEADER_SIZE; i < query.length; i++) {
    if (lowerCase(message[i]) !== lowerCase(query[i])) return undefined;
  }
  const rcode = flags & 0x000F;
  const truncated = (flags & 0x0200) !== 0;
  if (rcode !== 0 || truncated) return { rcode, truncated, addresses: [] };
  return { rcode, truncated, addresses: new AnswerReader(message, view).read(query) };
}

/** Reads the records of one answer. */
class AnswerReader {
  readonly #message: Uint8Array;
  readonly #view: DataView;
  readonly #addresses = new Map<string, FoundAddress[]>();
  readonly #aliases = new Map<string, Alias>();

  constructor(message: Uint8Array, view: DataView) {
    this.#message = message;
    this.#view = view;
  }

  read(query: Uint8Array): readonly FoundAddress[] {
    const type = query[query.length - 4] << 8 | query[query.length - 3];
    let at = query.length;
    for (let count = this.#view.getUint16(6); count > 0; count--) at = this.#readRecord(at, type);
    return this.#follow(this.#readName(HEADER_SIZE).name);
  }

  /** Returns where the next record begins. */
  #readRecord(at: number, wanted: number): number {
    const { name, end } = this.#readName(at);
    const start = end + 10;
    this.#need(start);
    const type = this.#view.getUint16(end);
    const next = start + this.#view.getUint16(end + 8);
    this.#need(next);
    if (this.#view.getUint16(end + 2) !== INTERNET) return next;
    // RFC 2181 section 8: a TTL with the highest bit set is 0.
    const ttl = Math.max(this.#view.getInt32(end + 4), 0);
    if (type === CNAME) {
      const alias = this.#readName(start);
      if (alias.end !== next) throw malformed("an alias is not as long as it says");
      this.#aliases.set(name, { name: alias.name, ttl });
    } else if (type === wanted) {
      const found = this.#addresses.get(name) ?? [];
      found.push({ address: this.#readAddress(start, { next, type }), ttl });
      this.#addresses.set(name, found);
    }
    return next;
  }

  #readAddress(start: number, { next, type }: { next: number; type: number }): string {
    const octets = this.#message.subarray(start, next);
    if (octets.length !== (type === TYPES[4] ? 4 : 16)) throw malformed("an address has the wrong length");
    return type === TYPES[4] ? formatIpv4(octets) : formatIpv6(octets);
  }

  /**
   * Reads a name. It keeps the form of the wire, so that a dot in a label does not end it, and is in lower case. Also
   * returns where the name ends.
   */
  #readName(at: number): { name: string; end: number } {
    let name = "";
    let end: number | undefined;
    for (let pointers = 0;;) {
      this.#need(at + 1);
      const length = this.#message[at];
      if (length === 0) return { name, end: end ?? at + 1 };
      if (length >= POINTER) {
        this.#need(at + 2);
        end ??= at + 2;
        const target = (length & ~POINTER) << 8 | this.#message[at + 1];
        if (target >= at || ++pointers > MAX_POINTERS) throw malformed("names lead in a circle");
        at = target;
        continue;
      }
      const next = at + 1 + length;
      if (length > 63 || name.length + 1 + length >= MAX_NAME) throw malformed("a name is too long");
      this.#need(next);
      for (; at < next; at++) name += String.fromCharCode(lowerCase(this.#message[at]));
    }
  }

  #need(end: number): void {
    if (end > this.#message.length) throw malformed("it ends too early");
  }

  /** The addresses behind the aliases of a name. They are valid no longer than the aliases. */
  #follow(name: string): readonly FoundAddress[] {
    let least = Infinity;
    for (let hops = 0; hops <= this.#aliases.size; hops++) {
      const found = this.#addresses.get(name);
      if (found) return found.map(({ address, ttl = 0 }) => ({ address, ttl: Math.min(ttl, least) }));
      const alias = this.#aliases.get(name);
      if (!alias) return [];
      least = Math.min(least, alias.ttl);
      name = alias.name;
    }
    throw malformed("aliases lead in a circle");
  }
}

/** Lowers ASCII letters only. The octet with the length of a label is smaller than any of them. */
function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5A ? octet | 0x20 : octet;
}

function malformed(why: string): Error {
  return nameError("EBADRESP", `The answer is malformed: ${why}`);
}

/** An error with a code of c-ares, like the errors of `node:dns`. */
export function nameError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
