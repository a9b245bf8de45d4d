/**
 * Writing to a stream, with backpressure: every write waits until the kernel has taken the bytes.
 *
 * This file, `byte_reader.ts` and nothing else touch a WHATWG reader or writer.
 *
 * @module
 */

import { type Fault, type Side, toFault } from "./faults.ts";

/** Below this, copying pieces together costs less than another write. */
const WORTH_COPYING = 16 * 1024;

/** Writes bytes, ends the stream with FIN, or cuts it. */
export class ByteWriter {
  #sink: WritableStreamDefaultWriter<Uint8Array>;
  #pieces: Uint8Array[] = [];
  readonly #side: Side;
  #fault: Fault | undefined;
  #closed = false;

  /** Locks the stream. `side` says whose fault a broken connection is. */
  constructor(writable: WritableStream<Uint8Array>, side: Side) {
    this.#side = side;
    this.#sink = writable.getWriter();
    this.#sink.closed.catch(() => {});
    this.#sink.ready.catch(() => {});
  }

  /** Whether FIN was sent, or the connection cut. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Adds bytes to what the next {@link ByteWriter.flush} sends, so that a head and the first bytes of its body
   * leave in one packet. The bytes must not change until then.
   */
  put(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pieces.push(bytes);
  }

  /** Sends what was put, and settles when the kernel has taken it; throws a `Fault`. */
  async flush(): Promise<void> {
    while (this.#pieces.length > 0) await this.#write(this.#nextPiece());
  }

  /** Sends bytes behind those that were put. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#pieces.length === 0) return await this.#write(bytes);
    this.put(bytes);
    await this.flush();
  }

  /** The first piece, with the small ones behind it. */
  #nextPiece(): Uint8Array {
    let count = 0;
    let length = 0;
    while (count < this.#pieces.length && length + this.#pieces[count].length <= WORTH_COPYING) {
      length += this.#pieces[count++].length;
    }
    if (count < 2) return this.#pieces.shift()!;
    const joined = new Uint8Array(length);
    let offset = 0;
    for (const piece of this.#pieces.splice(0, count)) {
      joined.set(piece, offset);
      offset += piece.length;
    }
    return joined;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#sink.write(bytes);
    } catch (error) {
      throw this.#fault ??= toFault(error, this.#side);
    }
  }

  /** Sends FIN and leaves the other direction open. Harmless when the stream is closed or broken already. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#sink.close().catch(() => {});
  }

  /** Destroys the connection, with a reset where the runtime can send one. Later writes are told why. */
  cut(fault: Fault): void {
    this.#fault ??= fault;
    this.#closed = true;
    this.#sink.abort(fault).catch(() => {});
  }
}
