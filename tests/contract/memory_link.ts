/**
 * Two connected byte streams in memory that behave like two sockets with small buffers.
 *
 * @module
 */

import type { ByteStream } from "../../src/runtime/contract.ts";

/** How many bytes one direction holds if nobody reads. */
export const MEMORY_CAPACITY = 64 * 1024;

/** One end, which counts the bytes written to it. It need not check them: TLS would notice a changed byte. */
export interface MemoryEnd extends ByteStream {
  /** How many bytes written to this end were taken. */
  written(): number;
}

/** Makes two ends. Bytes written to one are read from the other. */
export function memoryLink(): [MemoryEnd, MemoryEnd] {
  const there = new Direction();
  const back = new Direction();
  return [end(back, there, 1), end(there, back, 2)];
}

function end(incoming: Direction, outgoing: Direction, port: number): MemoryEnd {
  const readable = new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: 4096,
    pull: (controller) => incoming.deliver(controller),
    cancel() {
      // Like close(2): delivers what was written, and a FIN.
      incoming.break();
      outgoing.finish();
    },
  }, { highWaterMark: 0 });
  const writable = new WritableStream<Uint8Array>({
    start: ({ signal }) =>
      signal.addEventListener("abort", () => {
        incoming.break();
        outgoing.break();
      }),
    write: (chunk) => outgoing.take(chunk),
    close: () => outgoing.finish(),
  });
  const local = { host: `192.0.2.${port}`, port };
  const remote = { host: `192.0.2.${3 - port}`, port: 3 - port };
  return { readable, writable, local, remote, written: () => outgoing.taken };
}

class Direction {
  taken = 0;
  #held: Uint8Array = new Uint8Array(0);
  #finished = false;
  #broken = false;
  #wake: (() => void)[] = [];

  async deliver(controller: ReadableByteStreamController): Promise<void> {
    while (this.#held.length === 0 && !this.#finished && !this.#broken) await this.#change();
    if (this.#broken) throw terminated();
    const request = controller.byobRequest;
    // The read was given up together with the stream.
    if (!request) return;
    const view = request.view as Uint8Array;
    const count = Math.min(view.byteLength, this.#held.length);
    new Uint8Array(view.buffer, view.byteOffset).set(this.#held.subarray(0, count));
    this.#held = this.#held.slice(count);
    if (count === 0) controller.close();
    request.respond(count);
    this.#changed();
  }

  async take(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0;) {
      while (this.#held.length >= MEMORY_CAPACITY && !this.#broken) await this.#change();
      if (this.#broken) throw terminated();
      const part = rest.subarray(0, MEMORY_CAPACITY - this.#held.length);
      const held = new Uint8Array(this.#held.length + part.length);
      held.set(this.#held);
      held.set(part, this.#held.length);
      this.#held = held;
      this.taken += part.length;
      rest = rest.subarray(part.length);
      this.#changed();
    }
  }

  finish(): void {
    this.#finished = true;
    this.#changed();
  }

  break(): void {
    this.#broken = true;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

function terminated(): Error {
  return Object.assign(new Error("The connection was reset"), { code: "connection_terminated" });
}
