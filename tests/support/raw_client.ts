/**
 * One end of a connection, byte by byte. Tests use it as a client of the proxy and as a server behind it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createConnection, type Socket } from "node:net";
import type { Address } from "../../src/runtime/contract.ts";
import { Condition } from "./condition.ts";
import { type Circumstances, type HttpMessage, parseMessage } from "./http_message.ts";

/** A string means its Latin-1 octets. */
export type Bytes = string | Uint8Array;

/** How a connection ended: the peer's FIN, or the system's error code, such as `ECONNRESET`. */
export type Ending = "fin" | string;

/** A TCP or Unix connection under full control. If a wait is in vain, it fails and reports what came instead. */
export class RawConnection implements Disposable {
  /** The port at this end. It stays known after the end. */
  readonly localPort: number;
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #ending: Ending | undefined;
  readonly #condition = new Condition();

  /** Takes the socket over. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.localPort = socket.localPort ?? 0;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#condition.notify();
    });
    socket.on("end", () => this.#end("fin"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message));
    socket.on("close", () => this.#end("closed here"));
    const error: NodeJS.ErrnoException | null = socket.errored;
    if (error) this.#end(error.code ?? error.message);
  }

  /** The port at the other end. */
  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }

  /** The peer's IP address. Empty if the connection is gone. */
  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? "";
  }

  /** How the connection ended, if it has. */
  get ended(): Ending | undefined {
    return this.#ending;
  }

  #end(ending: Ending): void {
    this.#ending ??= ending;
    this.#condition.notify();
  }

  /** All bytes that have come and were not taken. */
  get received(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #take(length: number): Buffer {
    const { received } = this;
    this.#chunks = [received.subarray(length)];
    return received.subarray(0, length);
  }

  /** Sends bytes. Settles when the kernel has taken them, or when the connection is gone. */
  async send(bytes: Bytes): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return void await this.ending();
    await new Promise<void>((resolve) => {
      function settle(): void {
        socket.off("close", settle);
        resolve();
      }
      socket.once("close", settle);
      socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes, settle);
    });
  }

  /** Sends every byte in a packet of its own. */
  async sendSlowly(bytes: Bytes): Promise<void> {
    for (const byte of typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes) {
      if (this.#ending !== undefined) return;
      await this.send(Uint8Array.of(byte));
    }
  }

  /** Sends FIN and goes on receiving. */
  end(): void {
    this.#socket.end();
  }

  /** Sends RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /**
   * Stops receiving until {@linkcode resume}: the bytes that come fill the system's buffers. Its end goes unnoticed.
   */
  pause(): void {
    this.#socket.pause();
  }

  /** Receives again. */
  resume(): void {
    this.#socket.resume();
  }

  /** Destroys the connection. */
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #wait<T>(what: string, take: () => T | undefined): Promise<T> {
    const describe = () =>
      `Waited for ${what} and got ${this.#ending ?? "nothing more"} behind ${this.#quote()}`;
    return this.#condition.until(() => {
      const taken = take();
      if (taken === undefined && this.#ending !== undefined) throw new Error(describe());
      return taken;
    }, describe);
  }

  #quote(): string {
    const { received } = this;
    const text = JSON.stringify(received.subarray(0, 500).toString("latin1"));
    return received.length > 500 ? `${text} and ${received.length - 500} bytes more` : text;
  }

  /** Receives `length` bytes. */
  read(length: number): Promise<Buffer> {
    return this.#wait(
      `${length} bytes`,
      () => this.received.length >= length ? this.#take(length) : undefined,
    );
  }

  /** Waits for the pattern and takes nothing. Resolves to where the pattern ends. */
  until(pattern: string): Promise<number> {
    return this.#wait(JSON.stringify(pattern), () => {
      const start = this.received.indexOf(pattern, 0, "latin1");
      return start < 0 ? undefined : start + pattern.length;
    });
  }

  /** Receives text up to the end of the pattern. */
  async readUntil(pattern: string): Promise<string> {
    return this.#take(await this.until(pattern)).toString("latin1");
  }

  /** Receives everything up to the peer's FIN. Fails on a reset. */
  readToEnd(): Promise<Buffer> {
    return this.#wait("FIN", () => this.#ending === "fin" ? this.#take(this.received.length) : undefined);
  }

  /** Resolves to how the connection ends. The bytes before the end stay in {@linkcode received}. */
  ending(): Promise<Ending> {
    return this.#wait("the end", () => this.#ending);
  }

  /** Receives an HTTP message. Fails if a response is cut off. */
  message(circumstances: Circumstances = {}): Promise<HttpMessage> {
    return this.#wait("an HTTP message", () => {
      const parsed = parseMessage(this.received, { ...circumstances, ended: this.#ending === "fin" });
      if (parsed) this.#take(parsed.length);
      return parsed?.message;
    });
  }
}

/** Connects to an address. */
export function connect(address: Address): Promise<RawConnection> {
  const socket = createConnection({ ...address, allowHalfOpen: true });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(new RawConnection(socket));
    });
  });
}
