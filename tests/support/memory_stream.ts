/**
 * Byte streams without sockets: two ends of a connection in memory, which keep the contract of `src/runtime.ts`.
 *
 * @module
 */

import type { Address, ByteStream } from "../../src/runtime.ts";

/** How a pair of streams behaves. */
export interface MemoryPairOptions {
  /** Bytes that fit between a writer and its reader before `write()` waits: the knob that forces backpressure. */
  readonly capacity?: number;
  /** The most bytes that one read yields. */
  readonly readSize?: number;
}

/** Two connected ends. What is written to one is read from the other. */
export function memoryPair(options: MemoryPairOptions = {}): [ByteStream, ByteStream] {
  const there = new Pipe(options);
  const back = new Pipe(options);
  return [end(back, there, 1), end(there, back, 2)];
}

function end(incoming: Pipe, outgoing: Pipe, port: number): ByteStream {
  const local: Address = { host: `192.0.2.${port}`, port };
  const remote: Address = { host: `192.0.2.${3 - port}`, port: 3 - port };
  const destroy = () => {
    incoming.reset();
    outgoing.reset();
  };
  return { readable: incoming.readable(destroy), writable: outgoing.writable(destroy), local, remote };
}

/** One direction. */
class Pipe {
  readonly #capacity: number;
  readonly #readSize: number;
  #queue: Uint8Array = new Uint8Array(0);
  #ended = false;
  #broken: Error | undefined;
  #changed = Promise.withResolvers<void>();

  constructor({ capacity = 64 * 1024, readSize = Infinity }: MemoryPairOptions) {
    this.#capacity = capacity;
    this.#readSize = readSize;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  reset(): void {
    this.#broken ??= Object.assign(new Error("The connection was reset"), { code: "connection_terminated" });
    this.#change();
  }

  readable(destroy: () => void): ReadableStream<Uint8Array> {
    return new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: 4096,
      pull: async (controller) => {
        while (this.#queue.length === 0 && !this.#ended && !this.#broken) await this.#changed.promise;
        const { byobRequest } = controller;
        if (this.#broken) throw this.#broken;
        if (this.#queue.length === 0) {
          controller.close();
          byobRequest?.respond(0);
          return;
        }
        const view = byobRequest!.view! as Uint8Array;
        const count = Math.min(view.byteLength, this.#queue.length, this.#readSize);
        new Uint8Array(view.buffer, view.byteOffset, count).set(this.#queue.subarray(0, count));
        this.#queue = this.#queue.slice(count);
        this.#change();
        byobRequest!.respond(count);
      },
      cancel: destroy,
    }, { highWaterMark: 0 });
  }

  writable(destroy: () => void): WritableStream<Uint8Array> {
    return new WritableStream({
      start: (controller) => {
        controller.signal.addEventListener("abort", destroy);
      },
      write: async (chunk) => {
        for (let rest = chunk.slice(); rest.length > 0;) {
          while (this.#queue.length >= this.#capacity && !this.#broken) await this.#changed.promise;
          if (this.#broken) throw this.#broken;
          const count = Math.min(rest.length, this.#capacity - this.#queue.length);
          const queue = new Uint8Array(this.#queue.length + count);
          queue.set(this.#queue);
          queue.set(rest.subarray(0, count), this.#queue.length);
          this.#queue = queue;
          rest = rest.subarray(count);
          this.#change();
        }
      },
      close: () => {
        this.#ended = true;
        this.#change();
      },
      abort: destroy,
    }, { highWaterMark: 0 });
  }
}
