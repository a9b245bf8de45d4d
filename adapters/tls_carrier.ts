/**
 * The layer below a TLS socket of `node:tls`: the connection that carries the records.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { DirectPort, PortReceiver } from "../src/runtime/direct_port.ts";

/** How many bytes to read at once: one record at first, and twice as many after each read that was full. */
const LEAST_READ = 16_640;
const MOST_READ = 16 * LEAST_READ;

const NOTHING = new Uint8Array(0);

/** A port as the Duplex that `node:tls` takes. Destroying it does not destroy the port. */
export class Carrier extends Duplex {
  /** How many bytes the port has taken. */
  sent = 0;
  /** Called when the port has ended. If it has failed, gets the cause. */
  onEnd: (cause?: unknown) => void = () => {};
  /** Called when a write to the port has failed; the port can still be read. */
  onUnwritable: (cause: unknown) => void = () => {};
  /** Called when the port has taken everything. */
  onSent: () => void = () => {};
  /** Whether the port has ended or failed. */
  over = false;
  #port: DirectPort;
  #head: Uint8Array<ArrayBuffer> | undefined;
  /** Whether the layer above wants more bytes; the handshake does. */
  #wanted = true;
  /** Whether TLS has asked for more bytes. */
  #asked = false;
  /** Whether TLS is asking right now. Then it takes bytes only later. */
  #inRead = false;
  /** Whether the port was asked for bytes and has not answered yet. */
  #pulled = false;
  /** How many bytes to read next. */
  #size = LEAST_READ;
  #memory = NOTHING;
  #sending: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  /** Whether the port was destroyed. The first call decides how. */
  #left = false;
  #receiver: PortReceiver = {
    lend: () => this.#lend(),
    receive: (bytes) => this.#receive(bytes),
    end: () => this.#end(),
    fail: (cause) => this.#end(cause),
  };

  /** Takes the port over. `head` was read from it before. */
  constructor(port: DirectPort, head?: Uint8Array<ArrayBuffer>) {
    super({ allowHalfOpen: true });
    this.#port = port;
    this.#head = head;
    // Some TLS sockets emit their errors here, too.
    this.on("error", () => {});
  }

  /** Lets reading go on, or stops it after the current read. */
  want(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted) this.#next();
  }

  /** Destroys the port. With `reset` at once, otherwise it still delivers what was written. */
  leave({ reset }: { readonly reset: boolean }): void {
    if (this.#left) return;
    this.over = this.#left = true;
    this.#port.destroy({ reset });
    this.destroy();
  }

  /** Later, because Deno sends the alert after it has destroyed the Duplex. */
  override destroy(error?: Error): this {
    setImmediate(() => super.destroy(error));
    return this;
  }

  override _read(): void {
    this.#asked = this.#inRead = true;
    this.#next();
    this.#inRead = false;
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: () => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  #send(bytes: Uint8Array, done: () => void): void {
    const sent = (): void => {
      this.sent += bytes.byteLength;
      done();
      if (this.writableLength === 0) this.onSent();
    };
    this.#sending = this.#port.write(bytes);
    // TLS is not told of a failed write: on some runtimes it would throw, and it still has to decipher what is read.
    if (this.#sending) this.#sending.then(sent, (cause) => this.onUnwritable(cause));
    else sent();
  }

  /** Like `unsent` of a port, for all bytes from TLS. Bytes that the port itself has not taken count twice. */
  get unsent(): number {
    return this.writableLength + this.#port.unsent;
  }

  override _final(done: () => void): void {
    this.finish().then(done);
  }

  /** Ends the port after the bytes that were written. Settles when the port has sent the end; never if that fails. */
  finish(): Promise<void> {
    return this.#finishing ??= new Promise((resolve) => {
      const closing = Promise.resolve(this.#sending).then(() => this.#port.close());
      closing.then(resolve, (cause) => this.onUnwritable(cause));
    });
  }

  override _destroy(_error: Error | null, done: () => void): void {
    done();
  }

  #next(): void {
    if (!this.#wanted || !this.#asked || this.#pulled || this.over) return;
    this.#pulled = true;
    const head = this.#head;
    this.#head = undefined;
    // Later, because Deno cannot start a TLS socket that has already failed.
    if (head) setImmediate(() => this.#receive(head));
    else this.#port.pull(this.#receiver);
  }

  /**
   * A flowing Duplex passes the bytes on at once, and then no runtime's TLS keeps their memory. Otherwise TLS gets a
   * copy.
   */
  #hand(bytes: Uint8Array): void {
    const passes = this.readableFlowing && this.readableLength === 0 && !this.#inRead;
    this.#asked = false;
    this.push(passes ? bytes : bytes.slice());
  }

  #lend(): Uint8Array<ArrayBuffer> {
    if (this.#memory.byteLength !== this.#size) this.#memory = new Uint8Array(this.#size);
    return this.#memory;
  }

  #receive(bytes: Uint8Array<ArrayBuffer>): boolean {
    this.#pulled = false;
    if (this.over) return false;
    if (bytes.byteLength >= this.#size) this.#size = Math.min(2 * this.#size, MOST_READ);
    else if (bytes.byteLength < this.#size / 4) this.#size = LEAST_READ;
    this.#hand(bytes);
    return false;
  }

  #end(cause?: unknown): void {
    if (this.#left || this.over) return;
    this.over = true;
    // The bytes before may be an alert or a close_notify, which TLS reports a little later.
    setImmediate(() => this.onEnd(cause));
  }
}
