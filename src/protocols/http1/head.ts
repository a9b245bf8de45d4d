/**
 * The heads of HTTP/1.1 messages: a start line and a section of fields, read strictly over octets (RFC 9112 sections 2
 * to 4).
 *
 * @module
 */

import type { RequestHead, ResponseHead, Version } from "../http/message.ts";
import { Fault, malformed } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { Fields } from "../http/fields.ts";
import { fromOctets, isToken, isTokenByte, isValueByte, SP, spells } from "../http/syntax.ts";
import { MAX_FIELDS, SectionReader, type SectionRules } from "./section.ts";

/** RFC 9112 section 3: longer than any method in the registry (`UPDATEREDIRECTREF`, 17), with room to spare. */
const MAX_METHOD = 32;

/** The methods of most requests. They make no new string. */
const COMMON_METHODS = ["GET", "POST", "CONNECT", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH"];

/** A request's start line. */
export type RequestLine = Omit<RequestHead, "fields">;

/** Where the parts of a request line are in its octets. */
interface RequestLinePlaces {
  readonly method: string;
  readonly version: Version;
  /** Where the target begins and ends. */
  readonly start: number;
  readonly end: number;
}

/** A request head that has come over HTTP/1. Its target is made a text for those who ask for it. */
export class ReceivedRequest implements RequestHead {
  readonly method: string;
  readonly version: Version;
  readonly fields: Fields;
  /** Where the target begins and ends in the octets of the fields. */
  readonly targetStart: number;
  readonly targetEnd: number;

  /** The octets of the fields begin with the start line. */
  constructor({ method, version, start, end }: RequestLinePlaces, fields: Fields) {
    this.method = method;
    this.version = version;
    this.fields = fields;
    this.targetStart = start;
    this.targetEnd = end;
  }

  get target(): string {
    return fromOctets(this.fields.octets.subarray(this.targetStart, this.targetEnd));
  }
}

const REQUEST: SectionRules = {
  mend: false,
  tooLarge: (limit) => malformed(`The request head is larger than ${limit} bytes`, { status: 431 }),
  tooMany: () => malformed(`The request head has more than ${MAX_FIELDS} fields`, { status: 431 }),
};

/** Reads one request head. */
export class RequestHeadReader {
  readonly #section: SectionReader;
  #places: RequestLinePlaces | undefined;
  #line: RequestLine | undefined;
  #skippedEmptyLine = false;

  /** `limit` is the most octets of the head. */
  constructor(limit: number) {
    this.#section = new SectionReader(limit, REQUEST);
  }

  /** The start line, if it was understood and the rest has not come, or is refused; for the log. */
  get startLine(): RequestLine | undefined {
    return this.#line;
  }

  /** The head, once it is complete. */
  read(buffer: ByteBuffer): ReceivedRequest | undefined {
    while (!this.#places) {
      const length = this.#section.startLine(buffer, uriTooLong);
      if (length < 0) return undefined;
      if (length > 0) this.#places = requestLine(buffer.block, buffer.start, buffer.start + length);
      // RFC 9112 section 2.2: one empty line before the request line is an old bug of some clients.
      else if (this.#skippedEmptyLine) throw malformed("More than one empty line before the request line");
      else {
        this.#skippedEmptyLine = true;
        this.#section.skipLine(buffer);
      }
    }
    let fields: Fields | undefined;
    try {
      fields = this.#section.read(buffer);
    } finally {
      if (!fields) this.#line ??= lineOf(buffer, this.#places);
    }
    return fields && new ReceivedRequest(this.#places, fields);
  }
}

function uriTooLong(): Fault {
  return malformed("The request line is too long", { status: 414 });
}

/** The start line at the front of a buffer as text. */
function lineOf({ bytes }: ByteBuffer, { method, version, start, end }: RequestLinePlaces): RequestLine {
  return { method, target: fromOctets(bytes.subarray(start, end)), version };
}

/** RFC 9112 section 3: method SP request-target SP HTTP-version. */
function requestLine(octets: Uint8Array, start: number, end: number): RequestLinePlaces {
  let first = start;
  while (first < end && isTokenByte(octets[first])) first++;
  let second = first + 1;
  // RFC 3986 section 2: printable US-ASCII only. White space in a target is never mended (RFC 9112 section 3.2).
  while (second < end && octets[second] > SP && octets[second] < 0x7F) second++;
  const isLine = first > start && first - start <= MAX_METHOD && octets[first] === SP &&
    second > first + 1 && octets[second] === SP && second < end;
  const version = isLine ? httpVersion(octets, second + 1, end) : undefined;
  if (!version) throw requestLineFault(fromOctets(octets.subarray(start, end)));
  return {
    method: methodIn(octets, start, first),
    version,
    start: first + 1 - start,
    end: second - start,
  };
}

function methodIn(octets: Uint8Array, start: number, end: number): string {
  for (let i = 0; i < COMMON_METHODS.length; i++) {
    if (spells(octets, start, end, COMMON_METHODS[i])) return COMMON_METHODS[i];
  }
  return fromOctets(octets.subarray(start, end));
}

/** RFC 9112 section 2.3: `HTTP/` and two digits, case-sensitive. Undefined if it is no version that is spoken here. */
function httpVersion(octets: Uint8Array, start: number, end: number): Version | undefined {
  const minor = octets[end - 1] - 0x30;
  if (!spells(octets, start, end - 1, "HTTP/1.") || minor < 0 || minor > 9) return undefined;
  return minor === 0 ? "1.0" : "1.1";
}

/** What is wrong with a request line. */
function requestLineFault(line: string): Fault {
  const [method, target, version, ...more] = line.split(" ", 4);
  if (!isToken(method)) return malformed("The request line does not begin with a method");
  if (method.length > MAX_METHOD) {
    return malformed(`The method is longer than ${MAX_METHOD} bytes`, { status: 501 });
  }
  if (version === undefined || more.length > 0) return malformed("The request line is not of three parts");
  if (!/^[\x21-\x7E]+$/.test(target)) {
    return malformed("The request target has characters that a URI cannot have");
  }
  const digits = /^HTTP\/([0-9]\.[0-9])$/.exec(version)?.[1];
  if (digits === undefined) return malformed("The HTTP version is not valid");
  return malformed(`HTTP/${digits} is not spoken here`, { status: 505 });
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
  #line: Omit<ResponseHead, "fields"> | undefined;

  /** `limit` is the most octets of the head. */
  constructor(limit: number) {
    this.#section = new SectionReader(limit, RESPONSE);
  }

  /** Whether anything of the head has been understood. */
  get started(): boolean {
    return this.#line !== undefined;
  }

  /** The head, once it is complete. */
  read(buffer: ByteBuffer): ResponseHead | undefined {
    try {
      while (!this.#line) {
        const length = this.#section.startLine(buffer);
        if (length < 0) return undefined;
        if (length > 0) this.#line = statusLine(buffer.block, buffer.start, buffer.start + length);
        else this.#section.skipLine(buffer);
      }
      const fields = this.#section.read(buffer);
      if (!fields) return undefined;
      const { version, status, reason } = this.#line;
      return { version, status, reason, fields };
    } catch (error) {
      throw asProtocolError(error);
    }
  }
}

/** The parts of `HTTP/1.1 200 OK`. */
const [VERSION_END, STATUS_START, STATUS_END, REASON_START] = [8, 9, 12, 13];

/** RFC 9112 section 4: HTTP-version SP status-code SP [reason-phrase]. Many servers leave the last SP out. */
function statusLine(octets: Uint8Array, start: number, end: number): Omit<ResponseHead, "fields"> {
  const version = end - start < STATUS_END ? undefined : httpVersion(octets, start, start + VERSION_END);
  let status = 0;
  for (let i = start + STATUS_START; i < start + STATUS_END; i++) {
    const digit = octets[i] - 0x30;
    if (digit >= 0 && digit <= 9) status = status * 10 + digit;
  }
  // A zero in front, or a character that is no digit, leaves less than three digits.
  const isLine = version !== undefined && octets[start + VERSION_END] === SP && status >= 100 &&
    (end === start + STATUS_END || octets[start + STATUS_END] === SP);
  if (!isLine) throw malformed("The status line is not valid");
  const reason = Math.min(start + REASON_START, end);
  for (let i = reason; i < end; i++) {
    if (!isValueByte(octets[i])) throw malformed("The status line is not valid");
  }
  return { version, status, reason: reasonIn(octets, reason, end, status) };
}

/** The reason that came last with each status: most come again, and make no new string. */
const REASONS: string[] = Array.from({ length: 1000 }, () => "");
const MAX_KEPT_REASON = 32;

function reasonIn(octets: Uint8Array, start: number, end: number, status: number): string {
  const last = REASONS[status];
  if (spells(octets, start, end, last)) return last;
  const reason = fromOctets(octets.subarray(start, end));
  if (reason.length <= MAX_KEPT_REASON) REASONS[status] = reason;
  return reason;
}

/** A fault that is the client's in a request is the target's in a response. */
export function asProtocolError(error: unknown): unknown {
  if (!(error instanceof Fault) || error.code !== "http_request_error") return error;
  return new Fault("http_protocol_error", error.message, { cause: error });
}
