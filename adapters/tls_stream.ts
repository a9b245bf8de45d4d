/**
 * The two sides of a TLS socket of `node:tls`: below it the stream that carries the records, above it the stream of
 * what they say.
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

import { Buffer } from "node:buffer";
import process from "node:process";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { TLSSocket } from "node:tls";
import type { Address, ByteStream, SocketError, SocketErrorCode } from "../src/runtime.ts";

/** Bytes that are read from the carrier at once: a record at first, and twice as many whenever they were filled. */
const LEAST_READ = 16_640;
const MOST_READ = 16 * LEAST_READ;

/** Whether this runtime's TLS can send behind the peer's close_notify. */
const HALF_CLOSE = process.versions.bun === undefined;

/** Settles the write or the close in progress. */
interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
}

// --- below ---

/** A byte stream as the Duplex that `node:tls` takes. Its destruction leaves the byte stream alone. */
export class Carrier extends Duplex {
  /** Bytes that the byte stream has taken. */
  sent = 0;
  /** Called when the byte stream has ended, with the reason where it has failed. */
  onEnd: (cause?: unknown) => void = () => {};
  /** Called when the byte stream has taken everything. */
  onSent: () => void = () => {};
  /** Whether the byte stream has ended or failed. */
  over = false;
  #reader: ReadableStreamBYOBReader;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #head: Uint8Array<ArrayBuffer> | undefined;
  /** Whether somebody waits for what will be read; the handshake does. */
  #wanted = true;
  /** Whether TLS is ready for more. */
  #asked = false;
  #reading = false;
  /** Bytes to read next. */
  #size = LEAST_READ;
  #finishing: Promise<void> | undefined;
  /** Whether the byte stream was destroyed: the first way counts. */
  #left = false;

  constructor(
    reader: ReadableStreamBYOBReader,
    options: { writer: WritableStreamDefaultWriter<Uint8Array>; head?: Uint8Array<ArrayBuffer> },
  ) {
    super({ allowHalfOpen: true });
    this.#reader = reader;
    this.#writer = options.writer;
    this.#head = options.head;
    // Some TLS sockets tell their errors here too.
    this.on("error", () => {});
  }

  /** Lets reading go on, or stops it behind the read in progress. */
  want(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted) this.#next();
  }

  /** Destroys the byte stream, but lets it deliver what was written before. */
  release(): void {
    if (this.#left) return;
    this.over = this.#left = true;
    // A half that has ended already takes neither.
    this.#writer.close().catch(() => {});
    this.#reader.cancel().catch(() => {});
    this.destroy();
  }

  /** Destroys the byte stream at once. */
  reset(): void {
    if (this.#left) return;
    this.over = this.#left = true;
    this.#writer.abort().catch(() => {});
    this.destroy();
  }

  /** Later: Deno hands the alert on after it has destroyed the Duplex. */
  override destroy(error?: Error): this {
    setImmediate(() => super.destroy(error));
    return this;
  }

  override _read(): void {
    this.#asked = true;
    this.#next();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error) => void): void {
    this.finish().then(() => done());
  }

  /** Ends the byte stream behind what was written; settles when it has taken the end, or never. */
  finish(): Promise<void> {
    return this.#finishing ??= new Promise((resolve) => {
      this.#writer.close().then(resolve, (cause) => this.#end(cause));
    });
  }

  override _destroy(_error: Error | null, done: () => void): void {
    done();
  }

  async #next(): Promise<void> {
    if (!this.#wanted || !this.#asked || this.#reading || this.over) return;
    this.#reading = true;
    try {
      const value = this.#head ?? (await this.#reader.read(this.#memory())).value;
      this.#head = undefined;
      this.#reading = false;
      if (this.over) return;
      if (value === undefined || value.byteLength === 0) return this.#end();
      this.#asked = false;
      if (value.byteLength === this.#size) this.#size = Math.min(2 * this.#size, MOST_READ);
      else if (value.byteLength < this.#size / 4) this.#size = LEAST_READ;
      this.push(value);
    } catch (cause) {
      this.#end(cause);
    }
  }

  /** Fresh memory, not filled with zeros: TLS may look at what is read later. */
  #memory(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Buffer.allocUnsafeSlow(this.#size).buffer);
  }

  async #send(bytes: Uint8Array, done: (error?: Error) => void): Promise<void> {
    try {
      await this.#writer.write(bytes);
    } catch (cause) {
      // TLS is not told: some runtimes would throw.
      return this.#end(cause);
    }
    this.sent += bytes.byteLength;
    done();
    if (this.writableLength === 0) this.onSent();
  }

  #end(cause?: unknown): void {
    if (this.over) return;
    this.over = true;
    // What came before may be an alert or a close_notify, which TLS tells a little later.
    setImmediate(() => this.onEnd(cause));
  }
}

// --- above ---

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

// --- errors ---

const DESTROYED = { message: "it was aborted or cancelled here" };
const TRUNCATED = { message: "it ended without close_notify" };
const NO_HALF_CLOSE = { message: "Bun has closed the TLS connection behind the peer's close_notify" };

/** How OpenSSL, BoringSSL and rustls tell the alert that the peer has sent. */
const ALERT = /(?:received fatal alert: |(?:tlsv1|tlsv13|sslv3)[ _](?:alert[ _])?)([a-z_ ]+)/i;

/** What OpenSSL says of certificates, in the codes of `node:tls`. */
const CERTIFICATE =
  /^ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE$|^(?!ERR_SSL_).*(?:CERT|SIGNATURE|INVALID_CA|PURPOSE|PATH_LENGTH|HOSTNAME)/;

/** The code for an error of a TLS socket. */
export function tlsFailure({ code = "", message }: Error & { code?: string }): SocketErrorCode {
  if (CERTIFICATE.test(code)) return "tls_certificate_error";
  return ALERT.test(message) ? "tls_alert_received" : "tls_protocol_error";
}

/** An error in the contract's form. */
export function tlsError(
  problem: string,
  { code, cause }: { code: SocketErrorCode; cause?: unknown },
): SocketError {
  const { message = "the runtime has closed it" } = (cause ?? {}) as { message?: string };
  const [, alert] = code === "tls_alert_received" ? ALERT.exec(message) ?? [] : [];
  const reason = alert === undefined
    ? message.trim()
    : `the peer sent the alert "${
      alert.replace(/\B(?=[A-Z][a-z])/g, " ").replaceAll("_", " ").trim().toLowerCase()
    }"`;
  return Object.assign(new Error(`${problem}: ${reason}`, { cause }), { name: "SocketError", code });
}

/** An address for people. */
export function show(address: Address): string {
  if ("path" in address) return `"unix:${address.path}"`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `"${host}:${address.port}"`;
}
