/**
 * The far end of a stream in memory. The benches use it in place of a network.
 *
 * @module
 */

import type { ByteStream } from "../src/runtime/contract.ts";

const ADDRESS = { host: "192.0.2.1", port: 80 };

/** The callbacks for what the near end does. */
export interface MemoryEndOptions {
  /** Sees every write; the bytes are valid until it returns. */
  readonly onWrite: (bytes: Uint8Array, end: MemoryEnd) => void;
  /** The stream was closed: FIN. */
  readonly onClose?: (end: MemoryEnd) => void;
}

/** Sends bytes by {@link MemoryEnd.push}, and hands those that come to `onWrite`. It has no backpressure. */
export class MemoryEnd {
  /** The near end, for the code that is measured. */
  readonly stream: ByteStream;
  #queue: Uint8Array[] = [];
  #ended = false;
  #wake: () => void = () => {};

  /** Both callbacks get this end, so that they can answer. */
  constructor({ onWrite, onClose }: MemoryEndOptions) {
    const readable = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: 2048,
      pull: (controller) => this.#pull(controller),
    }, { highWaterMark: 0 });
    const writable = new WritableStream<Uint8Array>({
      write: (bytes) => onWrite(bytes, this),
      close: () => onClose?.(this),
    }, { highWaterMark: 0 });
    this.stream = { readable, writable, local: ADDRESS, remote: ADDRESS };
  }

  /** Sends bytes, which must not change until they are read. */
  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#wake();
  }

  /** Sends FIN. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    if (this.#queue.length === 0 && !this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
    const request = controller.byobRequest!;
    const bytes = this.#queue[0];
    if (!bytes) {
      controller.close();
      request.respond(0);
      return;
    }
    const { buffer, byteOffset, byteLength } = request.view!;
    const count = Math.min(byteLength, bytes.length);
    new Uint8Array(buffer, byteOffset, count).set(bytes.subarray(0, count));
    if (count === bytes.length) this.#queue.shift();
    else this.#queue[0] = bytes.subarray(count);
    request.respond(count);
  }
}
