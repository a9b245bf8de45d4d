/**
 * Buffered reading from a stream. What a codec leaves over stays here for whoever reads next: nothing is lost
 * between a handshake and the tunnel behind it.
 *
 * This file, `byte_writer.ts` and nothing else touch a WHATWG reader or writer.
 *
 * @module
 */

import { ByteBuffer } from "./protocols/byte_buffer.ts";
import { type Fault, type Side, toFault } from "./faults.ts";

/** Holds most request heads and a TLS ClientHello, and keeps an idle connection cheap. */
const FIRST_CAPACITY = 2048;

/** With reads of 64 KiB a byte was measured to cost a third more CPU on Deno, and twice as much on Node. */
const BULK_CAPACITY = 256 * 1024;

/** How fast the buffer follows a bulk transfer up and down again: 2, 16, 128, 256 KiB. */
const GROWTH = 8;

/** Reads bytes into one reused buffer that grows while reads fill it, as hyper's adaptive reading does. */
export class ByteReader {
  /** The bytes that have arrived and that nobody has used. Not to be touched while a `fill()` is under way. */
  readonly buffer: ByteBuffer = new ByteBuffer(FIRST_CAPACITY);

  #source: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array>;
  #byob: boolean;
  #filling: Promise<boolean> | undefined;
  readonly #side: Side;
  #fault: Fault | undefined;
  #ended = false;
  #capacity = FIRST_CAPACITY;

  /** Locks the stream. `side` says whose fault a broken connection is. Byte streams are read without a copy; others work, with one. */
  constructor(readable: ReadableStream<Uint8Array>, side: Side) {
    this.#side = side;
    try {
      this.#source = readable.getReader({ mode: "byob" });
      this.#byob = true;
    } catch {
      this.#source = readable.getReader();
      this.#byob = false;
    }
  }

  /** Whether the peer has sent its last byte. Bytes may still wait in the buffer. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Waits for more bytes behind those in the buffer. False when the peer has sent its last one; throws a `Fault`
   * on a reset, or the one given to {@link ByteReader.cut}. Called again while it waits, it waits for the same
   * bytes: a wait that was given up does not lose what arrives.
   */
  fill(): Promise<boolean> {
    return this.#filling ??= this.#fill();
  }

  async #fill(): Promise<boolean> {
    try {
      if (this.#fault) throw this.#fault;
      if (!this.#ended) this.#ended = !(this.#byob ? await this.#readInto() : await this.#readCopy());
      return !this.#ended;
    } catch (error) {
      throw this.#fault ??= toFault(error, this.#side);
    } finally {
      this.#filling = undefined;
    }
  }

  async #readInto(): Promise<boolean> {
    if (this.buffer.length === 0) this.buffer.resize(this.#capacity);
    const room = this.buffer.lend(1);
    const asked = room.length;
    const { value, done } = await (this.#source as ReadableStreamBYOBReader).read(room);
    if (this.#fault) throw this.#fault;
    if (value) this.buffer.restore(value, value.length);
    if (done || !value) return false;
    this.#adapt(asked, value.length);
    return true;
  }

  async #readCopy(): Promise<boolean> {
    const { value, done } = await (this.#source as ReadableStreamDefaultReader<Uint8Array>).read();
    if (this.#fault) throw this.#fault;
    if (done) return false;
    this.buffer.append(value);
    return true;
  }

  #adapt(asked: number, got: number): void {
    const { capacity } = this.buffer;
    if (got === asked && asked === capacity) this.#capacity = Math.min(capacity * GROWTH, BULK_CAPACITY);
    else if (got * GROWTH < capacity) this.#capacity = Math.max(capacity / GROWTH, FIRST_CAPACITY);
  }

  /**
   * The next bytes of a body or a tunnel, up to `limit` of them: those that wait, or else the next that arrive.
   * Undefined when there are no more. The view is valid until the next call.
   */
  async read(limit = Infinity): Promise<Uint8Array | undefined> {
    // The memory of a wait that was given up is still lent to the socket.
    if (this.#filling) await this.#filling;
    if (this.buffer.length === 0 && !await this.fill()) return undefined;
    return this.buffer.take(limit);
  }

  /** Destroys the connection. What waits for bytes, now or later, is told why. */
  cut(fault: Fault): void {
    this.#fault ??= fault;
    this.#source.cancel(fault).catch(() => {});
  }
}
