/**
 * What is below a TLS socket of `node:tls`: the connection that carries the records.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { DirectPort, PortReceiver } from "../src/runtime/direct_port.ts";

/** Bytes that are read at once into memory of ours: a record at first, and twice as many whenever they were filled. */
const LEAST_READ = 16_640;
const MOST_READ = 16 * LEAST_READ;

const NOTHING = new Uint8Array(0);

/** A port as the Duplex that `node:tls` takes. Its destruction leaves the port alone. */
export class Carrier extends Duplex {
  /** Bytes that the port has taken. */
  sent = 0;
  /** Called when the port has ended, with the reason where it has failed. */
  onEnd: (cause?: unknown) => void = () => {};
  /** Called when a write of the port has failed, which leaves it readable. */
  onUnwritable: (cause: unknown) => void = () => {};
  /** Called when the port has taken everything. */
  onSent: () => void = () => {};
  /** Whether the port has ended or failed. */
  over = false;
  #port: DirectPort;
  #head: Uint8Array<ArrayBuffer> | undefined;
  /** Whether somebody waits for what will be read; the handshake does. */
  #wanted = true;
  /** Whether TLS is ready for more. */
  #asked = false;
  /** Whether it asks now, and takes what it is given later. */
  #inRead = false;
  /** Whether an answer of the port is due. */
  #pulled = false;
  /** Bytes to read next. */
  #size = LEAST_READ;
  #memory = NOTHING;
  #sending: Promise<void> | undefined;
  #finishing: Promise<void> | undefined;
  /** Whether the port was destroyed: the first way counts. */
  #left = false;
  #receiver: PortReceiver = {
    lend: () => this.#lend(),
    receive: (bytes) => this.#receive(bytes),
    end: () => this.#end(),
    fail: (cause) => this.#end(cause),
  };

  /** Takes the port over, of which `head` was read already. */
  constructor(port: DirectPort, head?: Uint8Array<ArrayBuffer>) {
    super({ allowHalfOpen: true });
    this.#port = port;
    this.#head = head;
    // Some TLS sockets tell their errors here too.
    this.on("error", () => {});
  }

  /** Lets reading go on, or stops it behind the read in progress. */
  want(wanted: boolean): void {
    this.#wanted = wanted;
    if (wanted) this.#next();
  }

  /** Destroys the port, but lets it deliver what was written before; or else at once. */
  leave({ reset }: { readonly reset: boolean }): void {
    if (this.#left) return;
    this.over = this.#left = true;
    this.#port.destroy({ reset });
    this.destroy();
  }

  /** Later: Deno hands the alert on after it has destroyed the Duplex. */
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
    // TLS is not told of a failure: some runtimes would throw, and it has yet to decipher what is read.
    if (this.#sending) this.#sending.then(sent, (cause) => this.onUnwritable(cause));
    else sent();
  }

  /** As `unsent` of a port, of all that TLS has given; what the port itself has not taken counts twice. */
  get unsent(): number {
    return this.writableLength + this.#port.unsent;
  }

  override _final(done: () => void): void {
    this.finish().then(done);
  }

  /** Ends the port behind what was written; settles when it has taken the end, or never. */
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
    // Later: Deno cannot start a TLS socket that has failed before.
    if (head) setImmediate(() => this.#receive(head));
    else this.#port.pull(this.#receiver);
  }

  /** A Duplex that flows hands on at once, and no runtime's TLS keeps the memory then; otherwise it gets its own. */
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
    // What came before may be an alert or a close_notify, which TLS tells a little later.
    setImmediate(() => this.onEnd(cause));
  }
}
