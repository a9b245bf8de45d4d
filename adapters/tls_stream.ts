/**
 * What is above a TLS socket of `node:tls`: the stream of what the records say.
 *
 * What the runtimes do with a TLS socket over a Duplex, measured on Node 20 to 24, Deno 2.9.6 and Bun 1.4.5, and
 * what follows from it here:
 *
 * - None of them tells a FIN from a close_notify: both are an `end` event. So the FIN is kept from the TLS socket:
 *   its `end` means close_notify then, and the FIN without one is a truncation (RFC 8446 section 6.1).
 * - Deno and Bun take any amount of plaintext at once and say that it is written. So a write is held to be done
 *   when as many bytes have left below.
 * - Reads are held back below as well: nothing is read from the carrier unless somebody waits above.
 * - Deno does not end the Duplex behind its close_notify; Node and Bun do.
 * - Bun answers a close_notify with its own and is done: it cannot send afterwards (see {@link HALF_CLOSE}).
 *
 * @module
 */

import process from "node:process";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import type { Address, ByteStream, SocketError, SocketErrorCode } from "../src/runtime.ts";
import { type Carrier, LEAST_READ } from "./tls_carrier.ts";
import { show, tlsError, tlsFailure } from "./tls_errors.ts";

/** Whether this runtime's TLS can send behind the peer's close_notify. */
const HALF_CLOSE = process.versions.bun === undefined;

/** Settles the write or the close in progress. */
interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
}

const DESTROYED = { message: "it was aborted or cancelled here" };
const TRUNCATED = { message: "it ended without close_notify" };
const NO_HALF_CLOSE = { message: "Bun has closed the TLS connection behind the peer's close_notify" };

/** What a TLS socket says, once its handshake is done. */
export class TlsStream implements ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly local: Address;
  readonly remote: Address;
  #socket: TLSSocket;
  #carrier: Carrier;
  #source!: ReadableByteStreamController;
  #sink!: WritableStreamDefaultController;
  /** What was deciphered beyond a view. */
  #rest: Uint8Array[] = [];
  #readEnded = false;
  #writeEnded = false;
  #failed = false;
  #pending: Pending | undefined;
  /** What `sent` of the carrier will be at least when all that was written has left: ciphertext is never shorter. */
  #due: number;

  constructor(
    socket: TLSSocket,
    { carrier, local, remote }: { carrier: Carrier; local: Address; remote: Address },
  ) {
    this.#socket = socket;
    this.#carrier = carrier;
    this.local = local;
    this.remote = remote;
    this.#due = carrier.sent;
    carrier.want(false);
    carrier.onEnd = (cause) => this.#carrierEnded(cause);
    socket.on("data", (bytes: Uint8Array) => this.#receive(bytes));
    socket.on("end", () => this.#end());
    socket.on("error", (cause: Error) => this.#fail(tlsFailure(cause), cause));
    socket.on("close", () => this.#fail("connection_terminated"));
    this.readable = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: LEAST_READ,
      start: (controller) => void (this.#source = controller),
      pull: () => this.#pull(),
      cancel: () => {
        carrier.release();
        this.#fail("connection_terminated", DESTROYED);
      },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#sink = controller;
        // abort() of a sink is not called before the write in progress has settled.
        controller.signal.addEventListener("abort", () => {
          carrier.reset();
          this.#fail("connection_terminated", DESTROYED);
        });
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
    });
  }

  #pull(): void {
    if (this.#rest.length > 0) this.#deliver();
    else if (!this.#readEnded) this.#carrier.want(true);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#failed) return;
    this.#rest.push(bytes);
    this.#carrier.want(false);
    if (this.#source.byobRequest) this.#deliver();
  }

  #deliver(): void {
    const request = this.#source.byobRequest!;
    const view = request.view as Uint8Array;
    let filled = 0;
    while (filled < view.byteLength && this.#rest.length > 0) {
      const [bytes] = this.#rest;
      const room = view.byteLength - filled;
      view.set(bytes.byteLength > room ? bytes.subarray(0, room) : bytes, filled);
      filled += Math.min(bytes.byteLength, room);
      if (bytes.byteLength > room) this.#rest[0] = bytes.subarray(room);
      else this.#rest.shift();
    }
    request.respond(filled);
    if (this.#readEnded && this.#rest.length === 0) this.#finishReading();
  }

  /** The peer's close_notify has come. */
  #end(): void {
    if (this.#failed) return;
    this.#readEnded = true;
    if (this.#rest.length === 0) this.#finishReading();
    if (!HALF_CLOSE && !this.#writeEnded) this.#failWriting();
  }

  #finishReading(): void {
    this.#source.close();
    this.#source.byobRequest?.respond(0);
    if (this.#writeEnded) this.#carrier.release();
  }

  #write(chunk: Uint8Array): Promise<void> | undefined {
    if (chunk.byteLength === 0) return;
    this.#due += chunk.byteLength;
    return new Promise((resolve, reject) => {
      let written = false;
      const settle = (): void => {
        if (written && this.#carrier.writableLength === 0 && this.#carrier.sent >= this.#due) resolve();
      };
      this.#pending = { resolve, reject };
      this.#carrier.onSent = settle;
      this.#socket.write(chunk, (error?: Error | null) => {
        written = !error;
        settle();
      });
    });
  }

  async #close(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.end(() => setImmediate(() => this.#carrier.finish().then(resolve)));
    });
    this.#writeEnded = true;
    if (this.#readEnded && this.#rest.length === 0) this.#carrier.release();
  }

  #carrierEnded(cause?: unknown): void {
    if (cause !== undefined) this.#fail("connection_terminated", cause);
    else if (!this.#readEnded) this.#fail("connection_terminated", TRUNCATED);
  }

  /** The peer has ended, and so has the runtime. */
  #failWriting(): void {
    const error = tlsError(`Cannot send to ${show(this.remote)}`, {
      code: "connection_terminated",
      cause: NO_HALF_CLOSE,
    });
    this.#writeEnded = true;
    this.#pending?.reject(error);
    this.#sink.error(error);
    if (this.#rest.length === 0) this.#carrier.release();
  }

  /** Frees the carrier, and fails `readable` and the pending and the next write. */
  #fail(code: SocketErrorCode, cause?: unknown): void {
    if (this.#failed || (this.#readEnded && this.#writeEnded)) return;
    this.#failed = true;
    const error = tlsError(`The TLS connection with ${show(this.remote)} is gone`, { code, cause });
    this.#carrier.reset();
    this.#socket.destroy();
    if (!this.#readEnded || this.#rest.length > 0) this.#source.error(error);
    if (!this.#sink.signal.aborted) this.#sink.error(error);
    this.#pending?.reject(error);
  }
}
