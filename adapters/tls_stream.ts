/**
 * The layer above a TLS socket of `node:tls`: the stream of plaintext.
 *
 * What the runtimes do with a TLS socket over a Duplex, measured on Node 20 to 24, Deno 2.9.6 and Bun 1.4.5, and what
 * follows from it here:
 *
 * - None of them tells a FIN from a close_notify: both are an `end` event. So the FIN is kept from the TLS socket. Its
 *   `end` then means close_notify, and a FIN without one is a truncation (RFC 8446 section 6.1).
 * - Deno and Bun take any amount of plaintext at once and report it as written. So a write counts as done when as many
 *   bytes have left below.
 * - Node enciphers within `write()` if no other write is under way, and none ever is. So `write()` may be given memory
 *   that the next socket reads into.
 * - Reads are held back below, too: the carrier is read only while somebody waits above.
 * - Deno does not end the Duplex after its close_notify; Node and Bun do.
 * - Bun answers a close_notify with its own and cannot send afterwards (see {@link HALF_CLOSE}).
 *
 * @module
 */

import process from "node:process";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import type { PortReceiver } from "../src/runtime/direct_port.ts";
import type { Address, SocketError, SocketErrorCode } from "../src/runtime/contract.ts";
import { show } from "./addresses.ts";
import { PortStream } from "./port_stream.ts";
import type { Carrier } from "./tls_carrier.ts";
import { tlsError, tlsFailure } from "./tls_errors.ts";

/** Whether this runtime's TLS can send after the peer's close_notify. */
const HALF_CLOSE = process.versions.bun === undefined;

/**
 * Whether to free deciphered bytes as soon as they were copied. Deno allocates them outside V8, whose garbage collector
 * does not see their size: up to 200 MiB of them lay about.
 */
const FREE = process.versions.deno !== undefined;

/** What Node 20 lacks (ES2024). */
interface TransferableBuffer extends ArrayBuffer {
  transfer(length: number): ArrayBuffer;
}

/** The most plaintext in a record, and the least overhead: its header and a short tag (RFC 8446 section 5.2). */
const RECORD = 16_384;
const OVERHEAD = 13;

/** Settles the current write or close. */
interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
}

const DESTROYED = { message: "it was aborted or cancelled here" };
const TRUNCATED = { message: "it ended without close_notify" };
const NO_HALF_CLOSE = { message: "Bun has closed the TLS connection behind the peer's close_notify" };

/** The plaintext of a TLS socket, once its handshake is done. */
export class TlsStream extends PortStream {
  readonly local: Address;
  readonly remote: Address;
  #socket: TLSSocket;
  #carrier: Carrier;
  /** The receiver that waits for a read. */
  #receiver: PortReceiver | undefined;
  /** Deciphered bytes that were not delivered yet. */
  #rest: Uint8Array<ArrayBuffer>[] = [];
  #readEnded = false;
  #writeEnded = false;
  #pending: Pending | undefined;
  /** Why nothing more can be read, and why nothing more can be written. */
  #failure: SocketError | undefined;
  #unwritable: SocketError | undefined;

  constructor(
    socket: TLSSocket,
    { carrier, local, remote }: { carrier: Carrier; local: Address; remote: Address },
  ) {
    super();
    this.#socket = socket;
    this.#carrier = carrier;
    this.local = local;
    this.remote = remote;
    carrier.want(false);
    carrier.onEnd = (cause) => this.#carrierEnded(cause);
    carrier.onUnwritable = (cause) => this.#failWriting(cause);
    socket.on("data", (bytes: Uint8Array<ArrayBuffer>) => this.#receive(bytes));
    socket.on("end", () => this.#end());
    socket.on("error", (cause: Error) => this.#fail(tlsFailure(cause), cause));
    socket.on("close", () => this.#fail("connection_terminated"));
  }

  pull(receiver: PortReceiver): void {
    this.#receiver = receiver;
    this.#deliver();
  }

  #receive(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#failure) return;
    this.#carrier.want(false);
    // One read brings many records. They are delivered together.
    if (this.#rest.push(bytes) === 1) queueMicrotask(() => this.#deliver());
  }

  /** Answers the waiting receiver, if there is anything to deliver. */
  #deliver(): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    this.#receiver = undefined;
    if (this.#rest.length > 0) {
      if (receiver.receive(this.#take(receiver))) this.pull(receiver);
      this.#release();
    } else if (this.#readEnded) receiver.end();
    else if (this.#failure) receiver.fail(this.#failure);
    else {
      this.#receiver = receiver;
      this.#carrier.want(true);
    }
  }

  /**
   * The waiting bytes, as many as the receiver has room for. They are copied to its memory, so that ours can be freed.
   */
  #take(receiver: PortReceiver): Uint8Array<ArrayBuffer> {
    const room = receiver.lend();
    let filled = 0;
    while (filled < room.byteLength && this.#rest.length > 0) {
      const [bytes] = this.#rest;
      const fitting = bytes.subarray(0, room.byteLength - filled);
      room.set(fitting, filled);
      filled += fitting.byteLength;
      if (fitting.byteLength < bytes.byteLength) this.#rest[0] = bytes.subarray(fitting.byteLength);
      else {
        this.#rest.shift();
        if (FREE) (bytes.buffer as TransferableBuffer).transfer(0);
      }
    }
    return room.subarray(0, filled);
  }

  /** The peer's close_notify has come. */
  #end(): void {
    if (this.#failure) return;
    this.#readEnded = true;
    if (!HALF_CLOSE && !this.#writeEnded) this.#failWriting(NO_HALF_CLOSE);
    this.#release();
    this.#deliver();
  }

  /** Frees the carrier when both halves have ended. */
  #release(): void {
    if (this.#readEnded && this.#writeEnded && this.#rest.length === 0) this.#carrier.leave({ reset: false });
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#unwritable) return Promise.reject(this.#unwritable);
    // An empty write fails with EPERM on Deno.
    if (bytes.byteLength === 0) return undefined;
    const carrier = this.#carrier;
    const due = carrier.sent + bytes.byteLength + Math.ceil(bytes.byteLength / RECORD) * OVERHEAD;
    return new Promise((resolve, reject) => {
      let written = false;
      const settle = (): void => {
        if (written && carrier.writableLength === 0 && carrier.sent >= due) resolve();
      };
      this.#pending = { resolve, reject };
      carrier.onSent = settle;
      this.#socket.write(bytes, (error?: Error | null) => {
        written = !error;
        settle();
      });
    });
  }

  get unsent(): number {
    return this.#carrier.unsent;
  }

  async close(): Promise<void> {
    if (this.#unwritable) return;
    await new Promise<void>((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#socket.end(() => setImmediate(() => this.#carrier.finish().then(resolve)));
    });
    this.#writeEnded = true;
    this.#release();
  }

  destroy({ reset }: { readonly reset: boolean }): void {
    this.#carrier.leave({ reset });
    if (this.#rest.length > 0) this.#readEnded = false;
    this.#rest = [];
    this.#fail("connection_terminated", DESTROYED);
  }

  #carrierEnded(cause?: unknown): void {
    if (cause !== undefined) this.#fail("connection_terminated", cause);
    else if (!this.#readEnded) this.#fail("connection_terminated", TRUNCATED);
  }

  /** Nothing more can be sent; what the peer has sent can still be read. */
  #failWriting(cause: unknown): void {
    if (this.#unwritable) return;
    const code = "connection_terminated";
    this.#unwritable = tlsError(`Cannot send to ${show(this.remote)}`, { code, cause });
    this.#writeEnded = true;
    this.#pending?.reject(this.#unwritable);
    this.#release();
  }

  /** Frees the carrier, and fails current and later reads and writes. Deciphered bytes can still be read. */
  #fail(code: SocketErrorCode, cause?: unknown): void {
    if (this.#failure || (this.#readEnded && this.#writeEnded)) return;
    this.#failure =
      this.#unwritable =
        tlsError(`The TLS connection with ${show(this.remote)} is gone`, { code, cause });
    this.#carrier.leave({ reset: true });
    this.#socket.destroy();
    this.#pending?.reject(this.#failure);
    this.#deliver();
  }
}
