/**
 * Byte streams without sockets: two ends of a connection in memory, which keep the contract of
 * `src/runtime/contract.ts`.
 *
 * @module
 */

import type { DirectPort, PortReceiver } from "../../src/runtime/direct_port.ts";
import type { Address, ByteStream } from "../../src/runtime/contract.ts";

/** How a pair of streams behaves. */
export interface MemoryPairOptions {
  /** How many bytes fit between a writer and its reader before `write()` waits. Small values force backpressure. */
  readonly capacity?: number;
  /** The most bytes that one read returns. */
  readonly readSize?: number;
  /** Whether the ends have direct ports beside their streams. `DIRECT_PORTS=1` in the environment gives them to all. */
  readonly direct?: boolean;
}

const DIRECT_PORTS = Deno.env.get("DIRECT_PORTS") === "1";

/** Two connected ends. Bytes written to one are read from the other. */
export function memoryPair(options: MemoryPairOptions = {}): [ByteStream, ByteStream] {
  const there = new Pipe(options);
  const back = new Pipe(options);
  const { direct = DIRECT_PORTS } = options;
  return [end(back, there, { number: 1, direct }), end(there, back, { number: 2, direct })];
}

function end(
  incoming: Pipe,
  outgoing: Pipe,
  { number, direct }: { number: number; direct: boolean },
): ByteStream {
  const local: Address = { host: `192.0.2.${number}`, port: number };
  const remote: Address = { host: `192.0.2.${3 - number}`, port: 3 - number };
  const destroy = () => {
    incoming.reset();
    outgoing.reset();
  };
  const port = direct ? new MemoryPort(incoming, outgoing) : undefined;
  return { readable: incoming.readable(destroy), writable: outgoing.writable(destroy), port, local, remote };
}

/** A port that answers at once whenever it can. Sockets do so only now and then. */
class MemoryPort implements DirectPort {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  #unsent = 0;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  pull(receiver: PortReceiver): void {
    for (let bytes = this.#incoming.take(); bytes; bytes = this.#incoming.take()) {
      if (!receiver.receive(bytes)) return;
    }
    if (this.#incoming.broken) receiver.fail(this.#incoming.broken);
    else if (this.#incoming.ended) receiver.end();
    else this.#incoming.changed.then(() => this.pull(receiver));
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const left = this.#outgoing.put(bytes);
    return left.length === 0 && !this.#outgoing.broken ? undefined : this.#writeRest(left);
  }

  get unsent(): number {
    return this.#unsent;
  }

  async #writeRest(left: Uint8Array): Promise<void> {
    while (true) {
      this.#unsent = left.length;
      if (this.#outgoing.broken) throw this.#outgoing.broken;
      if (left.length === 0) return;
      await this.#outgoing.changed;
      left = this.#outgoing.put(left);
    }
  }

  close(): undefined {
    this.#outgoing.end();
  }

  destroy(): void {
    this.#incoming.reset();
    this.#outgoing.reset();
  }
}

/** One direction. */
class Pipe {
  readonly #capacity: number;
  readonly #readSize: number;
  #queue: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #ended = false;
  #broken: Error | undefined;
  #changed = Promise.withResolvers<void>();

  constructor({ capacity = 64 * 1024, readSize = Infinity }: MemoryPairOptions) {
    this.#capacity = capacity;
    this.#readSize = readSize;
  }

  get broken(): Error | undefined {
    return this.#broken;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Settles at the next change of any kind. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** The waiting bytes, at most as many as one read returns. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#queue.length === 0 || this.#broken) return undefined;
    const bytes = this.#queue.slice(0, this.#readSize);
    this.#queue = this.#queue.slice(bytes.length);
    this.#change();
    return bytes;
  }

  /** Takes the bytes that fit, and returns the rest. */
  put(bytes: Uint8Array): Uint8Array {
    const count = Math.min(bytes.length, this.#capacity - this.#queue.length);
    if (count <= 0 || this.#broken) return bytes;
    const queue = new Uint8Array(this.#queue.length + count);
    queue.set(this.#queue);
    queue.set(bytes.subarray(0, count), this.#queue.length);
    this.#queue = queue;
    this.#change();
    return bytes.subarray(count);
  }

  end(): void {
    this.#ended = true;
    this.#change();
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
