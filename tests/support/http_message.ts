/**
 * HTTP/1.1 messages as both ends of a proxy see them. They are read strictly, so that a message that the proxy got
 * wrong fails the test that reads it.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Field lines in the order in which they came, with names as written. */
export type FieldLines = readonly (readonly [name: string, value: string])[];

/** What ends a body (RFC 9112 section 6.3). */
export type BodyFraming = "none" | "length" | "chunked" | "close";

/** A whole message. */
export class HttpMessage {
  /** The request line or status line, without its line end. */
  readonly startLine: string;
  readonly fields: FieldLines;
  readonly framing: BodyFraming;
  /** The content, without its framing. */
  readonly body: Buffer;
  readonly trailers: FieldLines;

  constructor(parts: Pick<HttpMessage, "startLine" | "fields" | "framing" | "body" | "trailers">) {
    this.startLine = parts.startLine;
    this.fields = parts.fields;
    this.framing = parts.framing;
    this.body = parts.body;
    this.trailers = parts.trailers;
  }

  /** The values of a field, joined by commas. Undefined if there is none. */
  field(name: string): string | undefined {
    return fieldIn(this.fields, name);
  }

  /** The body's octets as characters. */
  get text(): string {
    return this.body.toString("latin1");
  }

  /** The status of a response. */
  get status(): number {
    return Number(this.startLine.split(" ")[1]);
  }

  /** The method of a request. */
  get method(): string {
    return this.startLine.split(" ")[0];
  }

  /** The target of a request. */
  get target(): string {
    return this.startLine.split(" ")[1];
  }
}

function fieldIn(fields: FieldLines, name: string): string | undefined {
  const values = fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return values.length > 0 ? values.join(", ") : undefined;
}

/** What the meaning of a message depends on, apart from its bytes. */
export interface Circumstances {
  /** Whether the sender has sent FIN, so that nothing follows. */
  readonly ended?: boolean;
  /** Whether a response answers HEAD. */
  readonly bodiless?: boolean;
}

/** A message, and its length in bytes. */
export interface Parsed {
  readonly message: HttpMessage;
  readonly length: number;
}

/**
 * The message at the beginning of the bytes. Undefined while it is not complete (with `ended`: it never will be).
 *
 * @throws {SyntaxError} If the bytes are no message.
 */
export function parseMessage(bytes: Buffer, circumstances: Circumstances = {}): Parsed | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [startLine, ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  if (
    !/^(?:HTTP\/1\.[01] [1-9][0-9]{2} .*|[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP\/1\.[01])$/s.test(startLine)
  ) {
    throw new SyntaxError(`This is neither a request line nor a status line: ${JSON.stringify(startLine)}`);
  }
  const fields = lines.map(parseField);
  const framing = framingOf(startLine, fields, circumstances);
  const start = headEnd + 4;
  const content = readContent(framing, { bytes, start, fields, ended: circumstances.ended ?? false });
  if (!content) return undefined;
  const { body, length, trailers = [] } = content;
  return { message: new HttpMessage({ startLine, fields, framing, body, trailers }), length };
}

function parseField(line: string): readonly [string, string] {
  const [, name, value] =
    /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xFF]|[ \t]+(?=[^ \t]))*)[ \t]*$/.exec(line) ??
      [];
  if (name === undefined) throw new SyntaxError(`This is no field line: ${JSON.stringify(line)}`);
  return [name, value];
}

function framingOf(startLine: string, fields: FieldLines, { bodiless }: Circumstances): BodyFraming {
  const status = /^HTTP\/1\.. (\d{3})/.exec(startLine)?.[1];
  if (status !== undefined && (bodiless || /^(?:1..|204|304)$/.test(status))) return "none";
  const codings = fieldIn(fields, "transfer-encoding");
  const length = fieldIn(fields, "content-length");
  if (codings !== undefined && length !== undefined) {
    throw new SyntaxError("The message has both Transfer-Encoding and Content-Length");
  }
  if (codings !== undefined && /(?:^|,)[ \t]*chunked$/i.test(codings)) return "chunked";
  if (length !== undefined) {
    if (!/^[0-9]+$/.test(length)) throw new SyntaxError(`The Content-Length is not valid: ${length}`);
    return "length";
  }
  return status === undefined ? "none" : "close";
}

interface Content {
  readonly body: Buffer;
  /** The length of the whole message. */
  readonly length: number;
  readonly trailers?: FieldLines;
}

interface Source {
  readonly bytes: Buffer;
  readonly start: number;
  readonly fields: FieldLines;
  readonly ended: boolean;
}

function readContent(framing: BodyFraming, source: Source): Content | undefined {
  const { bytes, start, fields, ended } = source;
  switch (framing) {
    case "none":
      return { body: Buffer.alloc(0), length: start };
    case "length": {
      const length = start + Number(fieldIn(fields, "content-length"));
      return bytes.length < length ? undefined : { body: bytes.subarray(start, length), length };
    }
    case "chunked":
      return readChunks(bytes, start);
    case "close":
      return ended ? { body: bytes.subarray(start), length: bytes.length } : undefined;
  }
}

function readChunks(bytes: Buffer, start: number): Content | undefined {
  const chunks: Buffer[] = [];
  for (let at = start;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString("latin1", at, lineEnd);
    if (!/^[0-9A-Fa-f]+(?:;.*)?$/.test(line)) {
      throw new SyntaxError(`This is no chunk size: ${JSON.stringify(line.slice(0, 100))}`);
    }
    const dataStart = lineEnd + 2;
    const size = parseInt(line, 16);
    if (size === 0) {
      const trailers = readTrailers(bytes, dataStart);
      return trailers && { body: Buffer.concat(chunks), ...trailers };
    }
    at = dataStart + size + 2;
    if (bytes.length < at) return undefined;
    if (bytes.toString("latin1", at - 2, at) !== "\r\n") {
      throw new SyntaxError("A chunk does not end with CRLF");
    }
    chunks.push(bytes.subarray(dataStart, at - 2));
  }
}

function readTrailers(bytes: Buffer, start: number): { length: number; trailers: FieldLines } | undefined {
  if (bytes.toString("latin1", start, start + 2) === "\r\n") return { length: start + 2, trailers: [] };
  const end = bytes.indexOf("\r\n\r\n", start);
  if (end < 0) return undefined;
  return { length: end + 4, trailers: bytes.toString("latin1", start, end).split("\r\n").map(parseField) };
}

/** A body in chunks of at most `size` bytes, framed as a sender does it. */
export function chunked(body: string | Uint8Array, size = 1000): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const data = bytes.subarray(at, at + size);
    pieces.push(Buffer.from(`${data.length.toString(16)}\r\n`), Buffer.from(data), Buffer.from("\r\n"));
  }
  return Buffer.concat([...pieces, Buffer.from("0\r\n\r\n")]);
}
