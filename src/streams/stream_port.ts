/**
 * A port over a pair of WHATWG streams, for streams that come without one: those in memory or behind a MessagePort.
 *
 * No other file touches a WHATWG reader or writer.
 *
 * @module
 */

import type { DirectPort, PortReceiver } from "../runtime/direct_port.ts";
import type { ByteStream } from "../runtime/contract.ts";

/** Byte streams are read without a copy, other streams with one. */
export class StreamPort implements DirectPort {
  /** See `DirectPort`. */
  readonly detaches = true;
  readonly #source: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #sink: WritableStreamDefaultWriter<Uint8Array>;
  /** The sink's `desiredSize` while no write is under way. */
  readonly #room: number;

  /** Locks both streams. */
  constructor({ readable, writable }: Pick<ByteStream, "readable" | "writable">) {
    this.#source = readerOf(readable);
    this.#sink = writable.getWriter();
    this.#room = this.#sink.desiredSize ?? 0;
    this.#sink.closed.catch(() => {});
    this.#sink.ready.catch(() => {});
  }

  /** See `DirectPort`. */
  pull(receiver: PortReceiver): void {
    this.#read(receiver).catch((error) => receiver.fail(error));
  }

  async #read(receiver: PortReceiver): Promise<void> {
    const source = this.#source;
    while (true) {
      const { value, done } = source instanceof ReadableStreamBYOBReader
        ? await source.read(receiver.lend())
        : await source.read();
      if (done || !value) return receiver.end(value);
      if (!receiver.receive(value)) return;
    }
  }

  /** See `DirectPort`. It sends a copy: the caller may reuse the bytes as soon as this returns. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#sink.write(bytes.slice());
  }

  /** See `DirectPort`. The unit is chunks, or what the stream's strategy counts. */
  get unsent(): number {
    return this.#room - (this.#sink.desiredSize ?? this.#room);
  }

  /** See `DirectPort`. */
  close(): Promise<void> {
    return this.#sink.close();
  }

  /**
   * See `DirectPort`. Aborting resets; cancelling lets written bytes arrive. Only the first of the two has an effect.
   */
  destroy({ reset }: { readonly reset: boolean }): void {
    if (reset) this.#sink.abort().catch(() => {});
    this.#source.cancel().catch(() => {});
    this.#sink.abort().catch(() => {});
  }

  /** Unlocks both streams, so that somebody else can use them. No read or write may be under way. */
  release(): void {
    this.#source.releaseLock();
    this.#sink.releaseLock();
  }
}

function readerOf(
  readable: ReadableStream<Uint8Array>,
): ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> {
  try {
    return readable.getReader({ mode: "byob" });
  } catch {
    return (readable as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
  }
}
