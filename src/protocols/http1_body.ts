/**
 * Message bodies: bytes on the wire to content, and content to bytes on the wire (RFC 9112 sections 6 and 7).
 *
 * @module
 */

import { type Fault, malformed } from "../faults.ts";
import type { ByteBuffer } from "./byte_buffer.ts";
import { Fields } from "./http1_fields.ts";
import type { Framing } from "./http1_framing.ts";
import { SectionReader, type SectionRules, takeLine } from "./http1_head.ts";
import { fromOctets, toOctets } from "./http1_syntax.ts";

/** What a body's reader has understood. Data is a view, valid until the buffer is filled again. */
export type BodyEvent =
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly trailers: Fields };

/** Reads one body. After its `end` the buffer holds what follows the message. */
export interface BodyReader {
  /** The next event; undefined: needs more bytes. Throws a `Fault` on what no grammar allows. */
  read(buffer: ByteBuffer): BodyEvent | undefined;
  /** Whether the sender's FIN ends this body properly; otherwise the body is cut. */
  readonly endsAtClose: boolean;
}

const NO_FIELDS = new Fields();
const END: BodyEvent = { type: "end", trailers: NO_FIELDS };

/** Limits. */
export interface BodyReaderOptions {
  /** The most octets of trailers. */
  readonly maxTrailerSize: number;
}

/** The reader for a framing. */
export function bodyReader(framing: Framing, options: BodyReaderOptions): BodyReader {
  switch (framing.kind) {
    case "none":
      return new LengthReader(0);
    case "length":
      return new LengthReader(framing.length);
    case "chunked":
      return new ChunkedReader(options.maxTrailerSize);
    case "close":
      return new CloseReader();
  }
}

class LengthReader implements BodyReader {
  readonly endsAtClose = false;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  read(buffer: ByteBuffer): BodyEvent | undefined {
    if (this.#left === 0) return END;
    if (buffer.length === 0) return undefined;
    const bytes = buffer.take(this.#left);
    this.#left -= bytes.length;
    return { type: "data", bytes };
  }
}

class CloseReader implements BodyReader {
  readonly endsAtClose = true;

  read(buffer: ByteBuffer): BodyEvent | undefined {
    return buffer.length === 0 ? undefined : { type: "data", bytes: buffer.take() };
  }
}

/** 2^53 - 1 has 14 hex digits; leading zeros may make a size longer, within reason. */
const MAX_SIZE_DIGITS = 16;
/** RFC 9112 section 7.1.1: a recipient ought to limit the total length of chunk extensions. */
const MAX_CHUNK_LINE = 1024;
const MAX_EXTENSIONS = 16 * 1024;

/**
 * RFC 9112 section 7.1. The stages are what is waited for:
 * `size → data → dataEnd → size … → trailers → done`.
 */
class ChunkedReader implements BodyReader {
  readonly endsAtClose = false;
  #stage: "size" | "data" | "dataEnd" | "trailers" | "done" = "size";
  #left = 0;
  #extensionsLeft = MAX_EXTENSIONS;
  readonly #trailers: SectionReader;

  constructor(maxTrailerSize: number) {
    this.#trailers = new SectionReader(maxTrailerSize, TRAILERS);
  }

  read(buffer: ByteBuffer): BodyEvent | undefined {
    while (true) {
      switch (this.#stage) {
        case "size": {
          const line = takeLine(buffer, { mend: false, limit: MAX_CHUNK_LINE, tooLong: chunkLineTooLong });
          if (!line) return undefined;
          this.#left = this.#chunkSize(fromOctets(line));
          this.#stage = this.#left > 0 ? "data" : "trailers";
          break;
        }
        case "data": {
          if (buffer.length === 0) return undefined;
          const bytes = buffer.take(this.#left);
          this.#left -= bytes.length;
          if (this.#left === 0) this.#stage = "dataEnd";
          return { type: "data", bytes };
        }
        case "dataEnd": {
          if (buffer.at(0) !== 0x0D && buffer.length > 0) throw malformed("A chunk is longer than its size");
          if (buffer.length < 2) return undefined;
          if (buffer.at(1) !== 0x0A) throw malformed("A chunk's data does not end with CRLF");
          buffer.skip(2);
          this.#stage = "size";
          break;
        }
        case "trailers":
          if (!this.#trailers.read(buffer)) return undefined;
          this.#stage = "done";
          return { type: "end", trailers: this.#trailers.fields };
        case "done":
          return END;
      }
    }
  }

  /** `chunk-size [ chunk-ext ]`: hex digits only; what is right of them is checked for its grammar and dropped. */
  #chunkSize(line: string): number {
    const digits = /^[0-9A-Fa-f]+/.exec(line)?.[0];
    if (!digits || digits.length > MAX_SIZE_DIGITS) {
      throw malformed("A chunk's size is not a hexadecimal number");
    }
    const extensions = line.slice(digits.length);
    this.#extensionsLeft -= extensions.length;
    if (this.#extensionsLeft < 0) throw malformed("The chunk extensions are too long");
    if (extensions !== "" && !CHUNK_EXTENSIONS.test(extensions)) {
      throw malformed("A chunk's extension is not valid");
    }
    const size = parseInt(digits, 16);
    if (!Number.isSafeInteger(size)) throw malformed("A chunk's size is too large", { status: 413 });
    return size;
  }
}

function chunkLineTooLong(): Fault {
  return malformed("A chunk's size line is too long");
}

const TRAILERS: SectionRules = {
  mend: false,
  tooLarge: () => malformed("The trailer section is too large", { status: 431 }),
};

/** RFC 9112 section 7.1.1 with its bad white space: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`. */
const CHUNK_EXTENSIONS =
  /^(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[\t \x21\x23-\x5B\x5D-\x7E\x80-\xFF]|\\[\t \x21-\x7E\x80-\xFF])*"))?)*$/;

/** Fields that a trailer section must not carry on: they frame, route, authenticate or control (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  "authorization",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "expect",
  "host",
  "keep-alive",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "range",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "www-authenticate",
]);

/** Content to bytes on the wire. */
export interface BodyWriter {
  /** Some content, framed: pieces to be sent one after the other. */
  data(bytes: Uint8Array): readonly Uint8Array[];
  /** What ends the body; may be empty. */
  end(trailers: Fields): Uint8Array;
}

const NOTHING = new Uint8Array(0);
const CRLF = toOctets("\r\n");

/** Content as it is: its length was said in the head, or the close will say it. */
const PLAIN_WRITER: BodyWriter = {
  data: (bytes) => [bytes],
  end: () => NOTHING,
};

class ChunkedWriter implements BodyWriter {
  readonly #head: Fields;

  constructor(head: Fields) {
    this.#head = head;
  }

  data(bytes: Uint8Array): readonly Uint8Array[] {
    return [toOctets(`${bytes.length.toString(16)}\r\n`), bytes, CRLF];
  }

  end(trailers: Fields): Uint8Array {
    // RFC 9110 section 7.6.1: what Connection names is for one hop alone, in trailers too.
    const nominated = new Set(this.#head.tokens("connection"));
    const kept = trailers.filter((key) => !NOT_IN_TRAILERS.has(key) && !nominated.has(key));
    return toOctets(`0\r\n${kept}\r\n`);
  }
}

/** The writer for a framing; `head` is the header section that was received with the body. */
export function bodyWriter(framing: Framing, head: Fields = NO_FIELDS): BodyWriter {
  return framing.kind === "chunked" ? new ChunkedWriter(head) : PLAIN_WRITER;
}
