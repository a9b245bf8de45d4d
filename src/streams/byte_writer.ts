/**
 * Writing to a connection, with backpressure: every write waits until the kernel has taken the bytes.
 *
 * @module
 */

import type { DirectPort } from "../runtime/direct_port.ts";
import { type Fault, type Side, toFault } from "../faults.ts";
import { cutBytes } from "./byte_block.ts";

/** Pieces up to this size together are joined, because copying them costs less than another write. */
const WORTH_COPYING = 16 * 1024;

const DONE: Promise<void> = Promise.resolve();

/** Writes bytes, ends the stream with FIN, or cuts it. One write at a time. */
export class ByteWriter {
  readonly #port: DirectPort;
  readonly #side: Side;
  #pieces: Uint8Array[] = [];
  #fault: Fault | undefined;
  #closed = false;

  /** Nobody else may write to the port. `side` says whose fault a broken connection is. */
  constructor(port: DirectPort, side: Side) {
    this.#port = port;
    this.#side = side;
  }

  /** Whether FIN was sent, or the connection was cut. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The fault of a failed write, if the connection was not cut and may still be read. */
  get broken(): Fault | undefined {
    return this.#closed ? undefined : this.#fault;
  }

  /** See `DirectPort`: how many bytes of the current write the kernel has not taken. */
  get unsent(): number {
    return this.#closed || this.#fault ? 0 : this.#port.unsent;
  }

  /**
   * Adds bytes to what the next {@link ByteWriter.flush} sends, so that a head and the first bytes of its body
   * leave in one packet. The bytes must not change until then.
   */
  put(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#pieces.push(bytes);
  }

  /** Forgets the bytes that were put and not sent. */
  withdraw(): void {
    this.#pieces = [];
  }

  /**
   * Sends the bytes that were put. Returns undefined if the kernel has taken them, and otherwise a promise. Throws a
   * `Fault`.
   */
  flush(): Promise<void> | undefined {
    while (this.#pieces.length > 0) {
      const written = this.send(this.#nextPiece());
      if (written) return this.#pieces.length === 0 ? written : written.then(() => this.flush());
    }
    return undefined;
  }

  /** Sends bytes, after those that were put. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#pieces.length === 0) return this.send(bytes) ?? DONE;
    this.put(bytes);
    return this.flush() ?? DONE;
  }

  /** The first piece, joined with the small ones behind it. */
  #nextPiece(): Uint8Array {
    if (this.#pieces.length === 1) return this.#pieces.pop()!;
    let count = 0;
    let length = 0;
    while (count < this.#pieces.length && length + this.#pieces[count].length <= WORTH_COPYING) {
      length += this.#pieces[count++].length;
    }
    if (count < 2) return this.#pieces.shift()!;
    const joined = cutBytes(length);
    let offset = 0;
    for (let i = 0; i < count; i++) {
      joined.set(this.#pieces[i], offset);
      offset += this.#pieces[i].length;
    }
    this.#pieces = this.#pieces.slice(count);
    return joined;
  }

  /**
   * Sends bytes; none may have been put. Returns undefined if the kernel has taken them, and otherwise a promise, like
   * `write()`.
   */
  send(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#fault) return Promise.reject(this.#fault);
    if (bytes.length === 0) return undefined;
    return this.#port.write(bytes)?.catch((error) => this.#failed(error));
  }

  #failed(error: unknown): never {
    throw this.#fault ??= toFault(error, this.#side);
  }

  /**
   * Sends FIN and leaves the other direction open. Returns undefined if there is nothing to wait for, as if the stream is
   * closed or broken. Never rejects.
   */
  close(): Promise<void> | undefined {
    return this.#sendFin()?.catch(() => {});
  }

  /** As {@link ByteWriter.close}, with one promise less: calls back when that is done, later than it returns. */
  end(done: () => void): void {
    const closing = this.#sendFin();
    if (closing) closing.then(done, done);
    else queueMicrotask(done);
  }

  #sendFin(): Promise<void> | undefined {
    if (this.#closed || this.#fault) return undefined;
    this.#closed = true;
    return this.#port.close();
  }

  /** Destroys the connection, with a reset where the runtime can send one. Later writes throw the fault. */
  cut(fault: Fault): void {
    this.#fault ??= fault;
    this.#closed = true;
    this.#port.destroy({ reset: true });
  }
}
