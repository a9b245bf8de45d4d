/**
 * The pair of WHATWG streams of a connection, made from its port. Every runtime's streams share this.
 *
 * @module
 */

import type { DirectPort, PortReceiver } from "../src/runtime/direct_port.ts";
import type { Address, ByteStream } from "../src/runtime/contract.ts";

/** The most bytes for a reader that brings no buffer. */
const DEFAULT_VIEW = 16 * 1024;

const NOTHING = new Uint8Array(0);

/** A connection that is its own port. It makes the pair only when somebody asks for it; the core does not. */
export abstract class PortStream implements ByteStream, DirectPort {
  abstract readonly local: Address;
  abstract readonly remote: Address;
  #streams: PortStreams | undefined;

  get port(): DirectPort {
    return this;
  }

  get readable(): ReadableStream<Uint8Array> {
    return (this.#streams ??= new PortStreams(this)).readable;
  }

  get writable(): WritableStream<Uint8Array> {
    return (this.#streams ??= new PortStreams(this)).writable;
  }

  /** See `DirectPort`. */
  abstract pull(receiver: PortReceiver): void;

  /** See `DirectPort`. */
  abstract write(bytes: Uint8Array): Promise<void> | undefined;

  /** See `DirectPort`. */
  abstract readonly unsent: number;

  /** See `DirectPort`. */
  abstract close(): Promise<void> | undefined;

  /** See `DirectPort`. */
  abstract destroy(options: { readonly reset: boolean }): void;
}

/** Both streams of a port. */
class PortStreams implements PortReceiver {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly #port: DirectPort;
  #source!: ReadableByteStreamController;
  /** Whether the port was asked for bytes and has not answered yet. */
  #pulled = false;
  /** Bytes that did not fit into a view. */
  #rest: Uint8Array<ArrayBuffer> = NOTHING;

  /** Takes the port over. */
  constructor(port: DirectPort) {
    this.#port = port;
    this.readable = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: DEFAULT_VIEW,
      start: (controller) => {
        this.#source = controller;
        // If a reader gives its read up before the stream has started, the stream would never pull, and block later
        // reads.
        queueMicrotask(() => controller.byobRequest !== null && this.#pull());
      },
      pull: () => this.#pull(),
      cancel: () => port.destroy({ reset: false }),
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      // The sink's own abort() would be called only after the current write.
      start: ({ signal }) => signal.addEventListener("abort", () => port.destroy({ reset: true })),
      write: (chunk) => chunk.byteLength > 0 ? port.write(chunk) : undefined,
      close: () => port.close(),
    });
  }

  #pull(): void {
    if (this.#pulled) return;
    if (this.#rest.byteLength > 0) return this.#deliver(this.#rest);
    this.#pulled = true;
    this.#port.pull(this);
  }

  /** See `PortReceiver`. */
  lend(): Uint8Array<ArrayBuffer> {
    return this.#source.byobRequest!.view as Uint8Array<ArrayBuffer>;
  }

  /** See `PortReceiver`. */
  receive(bytes: Uint8Array<ArrayBuffer>): boolean {
    this.#pulled = false;
    this.#deliver(bytes);
    return false;
  }

  #deliver(bytes: Uint8Array<ArrayBuffer>): void {
    const request = this.#source.byobRequest!;
    const view = request.view as Uint8Array<ArrayBuffer>;
    const length = Math.min(bytes.byteLength, view.byteLength);
    if (bytes.buffer !== view.buffer) view.set(bytes.subarray(0, length));
    // This comes before respond(), which pulls at once if another reader waits.
    this.#rest = length < bytes.byteLength ? bytes.slice(length) : NOTHING;
    request.respond(length);
  }

  /** See `PortReceiver`. */
  end(): void {
    this.#pulled = false;
    this.#source.close();
    this.#source.byobRequest?.respond(0);
  }

  /** See `PortReceiver`. */
  fail(error: unknown): void {
    this.#pulled = false;
    this.#source.error(error);
  }
}
