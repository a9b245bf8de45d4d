/**
 * A port over a pair of WHATWG streams, for TLS over streams that come without a port.
 *
 * @module
 */

import type { DirectPort, PortReceiver } from "../src/runtime/direct_port.ts";
import type { ByteStream } from "../src/runtime/contract.ts";

/** Both streams of a pair as one port. */
export class PairPort implements DirectPort {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  /** The room that the writable has while no write is under way, in the unit of its strategy. */
  readonly #room: number;

  /** Locks both streams. */
  constructor({ readable, writable }: ByteStream) {
    this.#reader = readable.getReader({ mode: "byob" });
    this.#writer = writable.getWriter();
    this.#room = this.#writer.desiredSize ?? 0;
    // A failure is reported by the read or write that fails, so `closed` may reject unheard.
    for (const { closed } of [this.#reader, this.#writer]) closed.catch(() => {});
  }

  pull(receiver: PortReceiver): void {
    this.#reader.read(receiver.lend()).then(({ value, done }) => {
      if (done) receiver.end(value);
      else if (receiver.receive(value as Uint8Array<ArrayBuffer>)) this.pull(receiver);
    }, (error) => receiver.fail(error));
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  get unsent(): number {
    return this.#room - (this.#writer.desiredSize ?? this.#room);
  }

  close(): Promise<void> {
    return this.#writer.close();
  }

  destroy({ reset }: { readonly reset: boolean }): void {
    if (reset) return void this.#writer.abort().catch(() => {});
    // A half that has already ended does neither.
    this.#writer.close().catch(() => {});
    this.#reader.cancel().catch(() => {});
  }
}
