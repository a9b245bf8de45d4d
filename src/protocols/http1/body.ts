/**
 * Message bodies: bytes on the wire to content, and content to bytes on the wire (RFC 9112 sections 6 and 7).
 *
 * @module
 */

import { type Fault, malformed } from "../../faults.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import { chunkExtensionsEnd } from "./chunk_extensions.ts";
import { Fields } from "../http/fields.ts";
import { lastChunk, type TrailerRules } from "./forwarding.ts";
import type { Framing } from "../http/message.ts";
import type { BodyEvent } from "../http/sides.ts";
import { MAX_FIELDS, SectionReader, type SectionRules, takeLine } from "./section.ts";
import { CR, isBlank, LF, toOctets } from "../http/syntax.ts";

/** Reads one body. After its `end`, the buffer holds the bytes behind the message. */
export interface BodyReader {
  /** The next event. Undefined: needs more bytes. Throws a `Fault` for invalid bytes. */
  read(buffer: ByteBuffer): BodyEvent | undefined;
  /** Whether the sender's FIN completes this body. Otherwise the body is cut short. */
  readonly endsAtClose: boolean;
}

const NO_FIELDS = new Fields();
const END: BodyEvent = { type: "end", trailers: NO_FIELDS };

/** Limits, and whether to mend. */
export interface BodyReaderOptions {
  /** Whether to accept blanks behind a chunk's size: in an answer, as in its head, but never in a request. */
  readonly mend: boolean;
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
      return new ChunkedReader(options);
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

/** 2^53 - 1 has 14 hex digits. Leading zeros may make a size a little longer. */
const MAX_SIZE_DIGITS = 16;

/** RFC 9112 section 7.1.1: a recipient ought to limit the length of chunk extensions. This limits one chunk. */
const MAX_CHUNK_LINE = 1024;

/**
 * This limits a whole body, as Go's net/http does. A chunk may spend 16 octets on its size line, and two more for each
 * octet of its content. What a chunk spends beyond that is added up, what it leaves is taken off, and the sum is
 * limited.
 */
const FREE_CHUNK_LINE = 16;
const FREE_PER_OCTET = 2;
const MAX_EXCESS = 16 * 1024;

/**
 * Chunks up to this size are joined: moving their bytes costs less than to frame and write each. The size has at most
 * four hex digits.
 */
const MAX_GATHERED = 16 * 1024;
const MAX_GATHERED_DIGITS = 4;
/** The smallest chunk behind another: a line end, a size, a line end and an octet. */
const SMALLEST_CHUNK = 6;

/** RFC 9112 section 7.1. A stage is what is read next: `size → data → dataEnd → size … → trailers → done`. */
class ChunkedReader implements BodyReader {
  readonly endsAtClose = false;
  #stage: "size" | "data" | "dataEnd" | "trailers" | "done" = "size";
  #left = 0;
  #excess = 0;
  readonly #mend: boolean;
  readonly #trailers: SectionReader;

  constructor({ maxTrailerSize, mend }: BodyReaderOptions) {
    this.#mend = mend;
    this.#trailers = new SectionReader(maxTrailerSize, TRAILERS);
  }

  read(buffer: ByteBuffer): BodyEvent | undefined {
    while (true) {
      switch (this.#stage) {
        case "size": {
          const line = takeLine(buffer, { mend: false, limit: MAX_CHUNK_LINE, tooLong: chunkLineTooLong });
          if (!line) return undefined;
          this.#left = this.#chunkSize(line);
          this.#stage = this.#left > 0 ? "data" : "trailers";
          break;
        }
        case "data": {
          if (buffer.length === 0) return undefined;
          const bytes = buffer.take(this.#left);
          this.#left -= bytes.length;
          if (this.#left > 0) return { type: "data", bytes };
          this.#stage = "dataEnd";
          return { type: "data", bytes: this.#gather(bytes, buffer) };
        }
        case "dataEnd": {
          if (buffer.at(0) !== CR && buffer.length > 0) throw malformed("A chunk is longer than its size");
          if (buffer.length < 2) return undefined;
          if (buffer.at(1) !== LF) throw malformed("A chunk's data does not end with CRLF");
          buffer.skip(2);
          this.#stage = "size";
          break;
        }
        case "trailers": {
          const trailers = this.#trailers.read(buffer);
          if (!trailers) return undefined;
          this.#stage = "done";
          return { type: "end", trailers };
        }
        case "done":
          return END;
      }
    }
  }

  /**
   * Joins small chunks that have arrived whole: moves their content behind that of the first, in the memory that holds
   * them all. Leaves everything else to the stages.
   */
  #gather(first: Uint8Array, buffer: ByteBuffer): Uint8Array {
    if (buffer.length < SMALLEST_CHUNK) return first;
    const waiting = buffer.bytes;
    const begin = first.byteOffset;
    const memory = new Uint8Array(first.buffer, begin, waiting.byteOffset - begin + waiting.length);
    const ahead = memory.length - waiting.length;
    let to = first.length;
    let used = 0;
    while (waiting[used] === CR && waiting[used + 1] === LF) {
      let at = used + 2;
      let size = 0;
      for (let digit; (digit = hexDigit(waiting[at])) >= 0 && at < used + 2 + MAX_GATHERED_DIGITS; at++) {
        size = size * 16 + digit;
      }
      if (waiting[at] !== CR && size > 0) at = chunkExtensionsEnd(waiting, at);
      const from = at + 2;
      if (waiting[at] !== CR || waiting[at + 1] !== LF || size === 0 || size > MAX_GATHERED) break;
      const line = from - used - 2;
      if (from + size > waiting.length || line > MAX_CHUNK_LINE) break;
      this.#spend(line, size);
      memory.copyWithin(to, ahead + from, ahead + from + size);
      to += size;
      used = from + size;
    }
    if (used === 0) return first;
    buffer.skip(used);
    return memory.subarray(0, to);
  }

  /** `chunk-size [ chunk-ext ]`: the size has hex digits only. The extensions are checked and dropped. */
  #chunkSize(line: Uint8Array): number {
    let end = line.length;
    while (this.#mend && end > 0 && isBlank(line[end - 1])) end--;
    let digits = 0;
    let size = 0;
    for (let digit; digits < end && (digit = hexDigit(line[digits])) >= 0; digits++) size = size * 16 + digit;
    if (digits === 0 || digits > MAX_SIZE_DIGITS) {
      throw malformed("A chunk's size is not a hexadecimal number");
    }
    if (digits < end && chunkExtensionsEnd(line, digits) !== end) {
      throw malformed("A chunk's extension is not valid");
    }
    if (!Number.isSafeInteger(size)) throw malformed("A chunk's size is too large", { status: 413 });
    this.#spend(line.length + 2, size);
    return size;
  }

  /** Counts the octets of a size line, with its CRLF, against the octets of its chunk's content. */
  #spend(octets: number, size: number): void {
    this.#excess = Math.max(0, this.#excess + octets - FREE_CHUNK_LINE - FREE_PER_OCTET * size);
    if (this.#excess > MAX_EXCESS) throw malformed("The chunk extensions are too long for so little content");
  }
}

/** The value of a hexadecimal digit; -1 for any other octet, and for undefined. */
function hexDigit(octet: number | undefined): number {
  if (octet === undefined) return -1;
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

function chunkLineTooLong(): Fault {
  return malformed("A chunk's size line is too long");
}

const TRAILERS: SectionRules = {
  mend: false,
  tooLarge: () => malformed("The trailer section is too large", { status: 431 }),
  tooMany: () => malformed(`There are more than ${MAX_FIELDS} trailers`, { status: 431 }),
};

/** Writes content in its framing. */
export interface BodyWriter {
  /** Frames some content. Send the pieces one after the other. */
  data(bytes: Uint8Array): readonly Uint8Array[];
  /** The end of the body; may be empty. */
  end(trailers: Fields): Uint8Array;
}

const NOTHING = new Uint8Array(0);
const CRLF = toOctets("\r\n");
const LAST_CHUNK = toOctets("0\r\n\r\n");

/** Content without framing: the head has told its length, or the close will end it. */
const PLAIN_WRITER: BodyWriter = {
  data: (bytes) => [bytes],
  end: () => NOTHING,
};

class ChunkedWriter implements BodyWriter {
  readonly #rules: TrailerRules;

  constructor(rules: TrailerRules) {
    this.#rules = rules;
  }

  data(bytes: Uint8Array): readonly Uint8Array[] {
    return [toOctets(`${bytes.length.toString(16)}\r\n`), bytes, CRLF];
  }

  end(trailers: Fields): Uint8Array {
    if (trailers.length === 0) return LAST_CHUNK;
    return lastChunk(trailers, this.#rules);
  }
}

/** The writer for a framing. */
export function bodyWriter(framing: Framing, rules: TrailerRules): BodyWriter {
  return framing.kind === "chunked" ? new ChunkedWriter(rules) : PLAIN_WRITER;
}
