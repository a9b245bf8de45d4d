/**
 * The heads of HTTP/1.1 messages: start line and field lines, read strictly over octets (RFC 9112 sections 2 to 5).
 *
 * A head becomes objects when all of it has arrived. Until then its lines are checked as they come, so that a client
 * that begins wrongly is told at once, but they stay in the buffer: a head that never ends costs only its bytes. Each
 * octet is read once or twice, however slowly the octets arrive.
 *
 * @module
 */

import type { RequestHead, ResponseHead, Version } from "../http/message.ts";
import { Fault, malformed } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import { Fields, type FieldSink, readFieldLine, type ReceivedLines } from "../http/fields.ts";
import { CR, fromOctets, isToken, LF } from "../http/syntax.ts";

/** RFC 9112 section 3: longer than any method in the registry (`UPDATEREDIRECTREF`, 17), with room to spare. */
const MAX_METHOD = 32;

/**
 * The most field lines of a head or a trailer section. Each costs an object of about 100 bytes, however short it is.
 * HAProxy takes 101, Apache 100 and Node 2,000; Squid limits only the bytes.
 */
export const MAX_FIELDS = 1000;

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

/** How the sections of requests, responses and bodies differ. */
export interface SectionRules {
  /** As in {@link LineOptions}. */
  readonly mend: boolean;
  /** Makes the fault if the lines, with their line ends, exceed the limit, in octets. */
  readonly tooLarge: (limit: number) => Fault;
  /** Makes the fault if there are more than {@link MAX_FIELDS} fields. */
  readonly tooMany: () => Fault;
}

/** Lines that are being read. */
interface Lines extends ReceivedLines {
  /** How many octets of the section came before these lines. */
  readonly before: number;
  /** Where the next line begins. */
  at: number;
}

/** Stands in when all lines have been read. */
const NO_LINES: Lines = { octets: EMPTY_LINE, text: "", before: 0, at: 0 };

/** Counts fields and does not keep them. */
class FieldCount implements FieldSink {
  length = 0;

  place(): void {
    this.length++;
  }

  append(): void {
    this.length++;
  }

  extendLast(): void {}
}

/**
 * Reads lines up to the empty one, within a limit for all of them. It decodes them together: to decode one line costs
 * as much as to decode all.
 */
export class SectionReader {
  readonly fields: Fields = new Fields();
  readonly #rules: SectionRules;
  readonly #limit: number;
  /** How many octets were taken off the buffer. */
  #taken = 0;
  #lines = NO_LINES;
  /** How many octets at the front of the buffer are valid lines, while the empty line behind them has not arrived. */
  #checked = 0;
  #count: FieldCount | undefined;

  /** `limit` is the most octets of all lines together, with their line ends. */
  constructor(limit: number, rules: SectionRules) {
    this.#limit = limit;
    this.#rules = rules;
  }

  /** One line without its line end (see {@link takeLine}). Counts against the limit. */
  line(buffer: ByteBuffer, tooLong = this.#rules.tooLarge): string | undefined {
    if (this.#lines === NO_LINES) {
      const octets = buffer.takeSection() ?? takeFirstLine(buffer);
      if (!octets) {
        this.#limitWaiting(buffer, tooLong);
        return undefined;
      }
      this.#begin(octets);
    }
    const lines = this.#lines;
    const start = lines.at;
    const end = this.#passLine(lines, tooLong);
    if (lines.at === lines.octets.length) this.#lines = NO_LINES;
    return lines.text.slice(start, end);
  }

  /** Reads field lines and the empty line behind them. Returns true when the empty line has come. */
  read(buffer: ByteBuffer): boolean {
    if (this.#lines === NO_LINES) {
      const octets = buffer.takeSection();
      if (!octets) {
        this.#check(buffer);
        return false;
      }
      this.#begin(octets);
    }
    this.#readLines(this.#lines, this.fields);
    this.#lines = NO_LINES;
    return true;
  }

  #begin(octets: Uint8Array): void {
    this.#lines = { octets, text: fromOctets(octets), before: this.#taken, at: 0 };
    this.#taken += octets.length;
  }

  /** Checks the lines that have come since the last call, and leaves them in the buffer. */
  #check(buffer: ByteBuffer): void {
    const { lines } = buffer;
    if (lines > this.#checked) {
      const octets = buffer.bytes.subarray(this.#checked, lines);
      const before = this.#taken + this.#checked;
      this.#readLines({ octets, text: fromOctets(octets), before, at: 0 }, this.#count ??= new FieldCount());
      this.#checked = lines;
    }
    this.#limitWaiting(buffer, this.#rules.tooLarge);
  }

  /** Reads field lines, up to the empty one if there is one. */
  #readLines(lines: Lines, into: FieldSink): void {
    const { tooLarge, tooMany } = this.#rules;
    while (lines.at < lines.octets.length) {
      const start = lines.at;
      const end = this.#passLine(lines, tooLarge);
      if (start === end) return;
      readFieldLine(lines, { start, end }, into, this.#rules);
      if (into.length > MAX_FIELDS) throw tooMany();
    }
  }

  #limitWaiting(buffer: ByteBuffer, tooLong: SectionRules["tooLarge"]): void {
    if (this.#taken + buffer.length > this.#limit) throw tooLong(this.#limit);
  }

  /** Passes the next line, and returns where its line end begins. */
  #passLine(lines: Lines, tooLong: SectionRules["tooLarge"]): number {
    const { octets } = lines;
    const start = lines.at;
    let end = start;
    while (octets[end] !== LF) end++;
    lines.at = end + 1;
    if (lines.before + lines.at > this.#limit) throw tooLong(this.#limit);
    const cr = end > start && octets[end - 1] === CR;
    if (!cr && !this.#rules.mend) throw bareLineFeed();
    return cr ? end - 1 : end;
  }
}

/** Takes the first of the lines that {@link ByteBuffer.takeSection} has seen before their empty line has arrived. */
function takeFirstLine(buffer: ByteBuffer): Uint8Array | undefined {
  return buffer.lines > 0 ? buffer.take(buffer.lineEnd() + 1) : undefined;
}

type StartLine = Pick<RequestHead, "method" | "target" | "version">;

const REQUEST: SectionRules = {
  mend: false,
  tooLarge: (limit) => malformed(`The request head is larger than ${limit} bytes`, { status: 431 }),
  tooMany: () => malformed(`The request head has more than ${MAX_FIELDS} fields`, { status: 431 }),
};

/** Reads one request head. */
export class RequestHeadReader {
  readonly #section: SectionReader;
  #start: StartLine | undefined;
  #skippedEmptyLine = false;

  /** `limit` is the most octets of the head. */
  constructor(limit: number) {
    this.#section = new SectionReader(limit, REQUEST);
  }

  /** The start line, if it was understood; for the log if the rest is refused. */
  get startLine(): StartLine | undefined {
    return this.#start;
  }

  /** The head, once it is complete. */
  read(buffer: ByteBuffer): RequestHead | undefined {
    while (!this.#start) {
      const line = this.#section.line(buffer, uriTooLong);
      if (line === undefined) return undefined;
      if (line !== "") this.#start = requestLine(line);
      // RFC 9112 section 2.2: one empty line before the request line is an old bug of some clients.
      else if (this.#skippedEmptyLine) throw malformed("More than one empty line before the request line");
      else this.#skippedEmptyLine = true;
    }
    return this.#section.read(buffer) ? { ...this.#start, fields: this.#section.fields } : undefined;
  }
}

function uriTooLong(): Fault {
  return malformed("The request line is too long", { status: 414 });
}

function requestLine(line: string): StartLine {
  const first = line.indexOf(" ");
  const second = line.indexOf(" ", first + 1);
  const method = first < 0 ? line : line.slice(0, first);
  if (!isToken(method)) throw malformed("The request line does not begin with a method");
  if (method.length > MAX_METHOD) {
    throw malformed(`The method is longer than ${MAX_METHOD} bytes`, { status: 501 });
  }
  if (second <= first || line.indexOf(" ", second + 1) >= 0) {
    throw malformed("The request line is not of three parts");
  }
  const target = line.slice(first + 1, second);
  // RFC 3986 section 2: printable US-ASCII only. White space in a target is never mended (RFC 9112 section 3.2).
  if (!/^[\x21-\x7E]+$/.test(target)) {
    throw malformed("The request target has characters that a URI cannot have");
  }
  return { method, target, version: httpVersion(line.slice(second + 1)) };
}

/** RFC 9112 section 2.3: `HTTP/` and two digits, case-sensitive. */
function httpVersion(text: string): Version {
  if (text === "HTTP/1.1") return "1.1";
  const match = /^HTTP\/([0-9])\.([0-9])$/.exec(text);
  if (!match) throw malformed("The HTTP version is not valid");
  if (match[1] !== "1") throw malformed(`HTTP/${match[1]}.${match[2]} is not spoken here`, { status: 505 });
  return match[2] === "0" ? "1.0" : "1.1";
}

const RESPONSE: SectionRules = {
  mend: true,
  tooLarge: (limit) =>
    new Fault("http_response_header_section_size", `The response head is larger than ${limit} bytes`),
  tooMany: () =>
    new Fault("http_response_header_section_size", `The response head has more than ${MAX_FIELDS} fields`),
};

/** Reads one response head; the faults blame the target. */
export class ResponseHeadReader {
  readonly #section: SectionReader;
  #start: Omit<ResponseHead, "fields"> | undefined;

  /** `limit` is the most octets of the head. */
  constructor(limit: number) {
    this.#section = new SectionReader(limit, RESPONSE);
  }

  /** Whether anything of the head has been understood. */
  get started(): boolean {
    return this.#start !== undefined;
  }

  /** The head, once it is complete. */
  read(buffer: ByteBuffer): ResponseHead | undefined {
    try {
      while (!this.#start) {
        const line = this.#section.line(buffer);
        if (line === undefined) return undefined;
        if (line !== "") this.#start = statusLine(line);
      }
      return this.#section.read(buffer) ? { ...this.#start, fields: this.#section.fields } : undefined;
    } catch (error) {
      throw asProtocolError(error);
    }
  }
}

/** RFC 9112 section 4: HTTP-version SP status-code SP [reason-phrase]. Many servers leave the last SP out. */
function statusLine(line: string): Omit<ResponseHead, "fields"> {
  if (!/^HTTP\/1\.[0-9] [1-9][0-9]{2}(?: [\t\x20-\x7E\x80-\xFF]*)?$/.test(line)) {
    throw malformed("The status line is not valid");
  }
  return {
    version: line[7] === "0" ? "1.0" : "1.1",
    status: Number(line.slice(9, 12)),
    reason: line.slice(13),
  };
}

/** A fault that is the client's in a request is the target's in a response. */
export function asProtocolError(error: unknown): unknown {
  if (!(error instanceof Fault) || error.code !== "http_request_error") return error;
  return new Fault("http_protocol_error", error.message, { cause: error });
}
