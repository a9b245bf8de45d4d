/**
 * What is below a TLS socket of `node:tls`: the stream that carries the records.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";

/** Bytes that are read from the carrier at once: a record at first, and twice as many whenever they were filled. */
export const LEAST_READ = 16_640;
const MOST_READ = 16 * LEAST_READ;

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
    // A write may fail behind the end of what is read: whoever waits for it must be told.
    if (this.#left || this.over && cause === undefined) return;
    this.over = true;
    // What came before may be an alert or a close_notify, which TLS tells a little later.
    setImmediate(() => this.onEnd(cause));
  }
}
