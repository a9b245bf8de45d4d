/**
 * Sockets of `node:net` as byte streams.
 *
 * @module
 */

import { Socket } from "node:net";
import type { Address } from "../src/runtime/contract.ts";
import { tcpAddress } from "./addresses.ts";
import { KEEP_ALIVE_DELAY, type Pending, ReadingStream, steady } from "./node_reading.ts";

/** Undocumented options with which `new Socket()` takes over the handle of another. */
interface AdoptionOptions {
  handle: unknown;
  pauseOnCreate: boolean;
}

/** The undocumented part of the handle of a socket with `onread` that is used here. */
interface BufferedSocket {
  readonly _handle: {
    /** Sets the buffer of the next read. */
    useUserBuffer(buffer: Uint8Array): void;
    /** How many bytes libuv holds for the kernel. */
    readonly writeQueueSize: number;
  } | null;
}

/** Told of what happens to a socket: one object, as functions of each socket's own cost memory while it idles. */
interface SocketWatcher {
  /** The peer has sent FIN. */
  ended(): void;
  /** The connection is broken. */
  failed(cause: Error): void;
  /** The first write has failed. */
  unwritable(cause: Error): void;
}

/**
 * A socket that hides a failed write from `node:stream`, which would destroy the half that can still be read. After the
 * failure, the stream sees all further writes succeed.
 */
class HalfSocket extends Socket {
  watcher: SocketWatcher | undefined;
  #failed = false;
  #done: (error?: Error | null) => void = () => {};
  /** The callback of every write: there is only one write at a time. */
  #settle: ((error?: Error | null) => void) | undefined;

  override _write(chunk: unknown, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#failed) return done();
    this.#done = done;
    super._write(
      chunk,
      encoding,
      this.#settle ??= (error) => {
        if (!error || this.destroyed) return this.#done(error);
        this.#failed = true;
        this.watcher?.unwritable(error);
        this.#done();
      },
    );
  }
}

function ended(this: Socket): void {
  (this as HalfSocket).watcher?.ended();
}

function failed(this: Socket, cause: Error): void {
  (this as HalfSocket).watcher?.failed(cause);
}

const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY };

const NOTHING = new Uint8Array(0);

/** A socket: an accepted one, whose handle is taken over, or one that will be dialed. */
export class SocketStream extends ReadingStream {
  readonly socket: HalfSocket;
  local: Address = { path: "" };
  remote: Address = { path: "" };
  #pending: Pending | undefined;
  #cause: Error | undefined;
  /** Why nothing more can be sent, although reading may go on. */
  #unwritable: NodeJS.ErrnoException | undefined;

  constructor(adoption?: AdoptionOptions) {
    super();
    const onread = { buffer: () => this.buffer, callback: (length: number) => this.received(length) };
    const options = { allowHalfOpen: true, ...adoption ?? TCP_OPTIONS, onread };
    this.socket = new HalfSocket(options);
    this.socket.watcher = this;
    // Node applies these options when it connects, but not to a handle that it takes over.
    if (adoption) this.socket.setNoDelay(true).setKeepAlive(true, TCP_OPTIONS.keepAliveInitialDelay);
    this.socket.on("end", ended).on("error", failed);
  }

  /**
   * Notes the addresses of a TCP connection. A connection that is already gone has none: it is destroyed, and false is
   * returned.
   */
  locate(): boolean {
    const { localAddress, localPort, remoteAddress, remotePort } = this.socket;
    if (localAddress === undefined || remoteAddress === undefined) {
      this.socket.destroy();
      return false;
    }
    this.local = tcpAddress(localAddress, localPort!);
    this.remote = tcpAddress(remoteAddress, remotePort!);
    return true;
  }

  protected startReading(): void {
    this.socket.resume();
  }

  protected stopReading(): void {
    this.socket.pause();
  }

  protected replaceBuffer(buffer: Uint8Array): void {
    this.#handle?.useUserBuffer(buffer);
  }

  get #handle(): BufferedSocket["_handle"] {
    return (this.socket as unknown as BufferedSocket)._handle;
  }

  /** See `SocketWatcher`. */
  ended(): void {
    if (this.socket.destroyed) return;
    // After the last bytes, libuv takes every hang-up for a FIN, even a reset (Node 20 to 24). An empty write tells
    // which.
    const asks = "port" in this.remote && this.socket.writableLength === 0 && !this.socket.writableEnded;
    if (asks && !this.#unwritable) this.socket.write(NOTHING);
    // The system reports a reset only once. If a write has met it, the next read looks like an end. EPIPE is different:
    // a write gets it after a real end.
    if (this.#unwritable && this.#unwritable.code !== "EPIPE") {
      return void this.socket.destroy(this.#unwritable);
    }
    if (this.#unwritable) this.socket.destroy();
    this.readingEnded();
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.over || this.#unwritable) return Promise.reject(this.failure());
    this.socket.write(steady(bytes));
    // The kernel has already taken all of it. Node would report that only in the next tick.
    if (this.socket.writableLength === 0 && this.socket.errored === null) {
      return this.#unwritable ? Promise.reject(this.failure()) : undefined;
    }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      // This callback is called when the write before it is done.
      this.socket.write(NOTHING, (error) => {
        if (!error) this.#resolve();
      });
    });
  }

  get unsent(): number {
    return this.#handle?.writeQueueSize ?? 0;
  }

  /** See `SocketWatcher`. */
  unwritable(cause: Error): void {
    this.#unwritable = cause;
    this.#pending?.reject(this.failure());
    this.#pending = undefined;
    if (this.finReceived) this.socket.destroy();
  }

  close(): Promise<void> | undefined {
    if (this.#unwritable) return undefined;
    // close(2) sends FIN as well.
    if (this.finReceived) return void this.socket.destroy();
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.socket.end((error?: Error | null) => {
        if (!error) this.#resolve();
      });
    });
  }

  #resolve(): void {
    this.#pending?.resolve();
    this.#pending = undefined;
  }

  destroy({ reset }: { readonly reset: boolean }): void {
    if (this.over) return;
    // libuv cannot reset while the FIN is being sent.
    if (reset && "port" in this.remote && !this.socket.writableEnded) this.socket.resetAndDestroy();
    else this.socket.destroy();
    this.failed();
  }

  /** See `SocketWatcher`. */
  failed(cause?: Error): void {
    if (this.over) return;
    this.over = true;
    this.#cause = cause;
    this.#pending?.reject(this.failure());
    this.#pending = undefined;
    this.readingFailed();
  }

  protected get cause(): NodeJS.ErrnoException | undefined {
    return this.#cause ?? this.#unwritable;
  }
}
