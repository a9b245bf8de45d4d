/**
 * Sockets of `node:net` as byte streams.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { setImmediate } from "node:timers";
import type { PortReceiver } from "../src/runtime/direct_port.ts";
import type { Address, SocketError } from "../src/runtime/contract.ts";
import { show, tcpAddress } from "./addresses.ts";
import { PortStream } from "./port_stream.ts";
import { type Codes, socketError } from "./socket_errors.ts";
import { Turns } from "./turns.ts";

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

/** Settles the current write or close. */
interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
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

const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 };

/** The meaning of the system's error codes on a connection. */
const CODES: Codes = {
  ECONNABORTED: "connection_terminated",
  ECONNRESET: "connection_terminated",
  EHOSTUNREACH: "destination_ip_unroutable",
  ENETUNREACH: "destination_ip_unroutable",
  EPIPE: "connection_terminated",
  ETIMEDOUT: "connection_timeout",
};

const NOTHING = new Uint8Array(0);

const TURNS = new Turns({ long: 1024 * 1024, short: 64 * 1024 });

/**
 * After a read of `MUCH` bytes, a socket is read into its receiver's memory. After one of fewer than `LITTLE`, it is
 * not.
 */
const MUCH = 32 * 1024;
const LITTLE = 8 * 1024;

/**
 * The buffer for sockets with few bytes to read. Node fixes the buffer of a read when the read before it is done, so
 * each idle socket would otherwise hold a buffer of its own. Any socket may be read into it at any time, so nothing may
 * keep its bytes: a write gets a copy.
 */
const SHARED = new Uint8Array(64 * 1024);

/** Sockets that had bytes while nobody waited for them. */
const RESTLESS: SocketStream[] = [];

/** A socket: an accepted one, whose handle is taken over, or one that will be dialed. */
export class SocketStream extends PortStream {
  readonly socket: HalfSocket;
  local: Address = { path: "" };
  remote: Address = { path: "" };
  /** The receiver that waits for a read. */
  #receiver: PortReceiver | undefined;
  #paused = true;
  /** How many bytes were read since its turn began. */
  #turn = 0;
  /** Whether its reads are long, as in a bulk transfer. */
  #busy = false;
  /** The buffer of the current read. */
  #buffer: Uint8Array<ArrayBuffer> = SHARED;
  /** Bytes that came before a read asked for them. */
  #unread: Uint8Array<ArrayBuffer> | undefined;
  #finReceived = false;
  #pending: Pending | undefined;
  #over = false;
  #cause: Error | undefined;
  /** Why nothing more can be sent, although reading may go on. */
  #unwritable: NodeJS.ErrnoException | undefined;

  constructor(adoption?: AdoptionOptions) {
    super();
    const onread = { buffer: () => this.#buffer, callback: (length: number) => this.#receive(length) };
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

  pull(receiver: PortReceiver): void {
    const unread = this.#unread;
    this.#unread = undefined;
    if (unread !== undefined && !receiver.receive(unread)) return;
    if (this.#over) return receiver.fail(this.#failure());
    // Both halves have ended, so Node may have destroyed the socket by now.
    if (this.#finReceived) return receiver.end();
    this.#receiver = receiver;
    this.#borrow(receiver);
    this.#resume();
  }

  /** Takes the bytes of a read. Returning false makes Node stop reading. */
  #receive(length: number): boolean {
    TURNS.heard(length);
    const receiver = this.#receiver;
    const buffer = this.#buffer;
    const bytes = buffer.subarray(0, length);
    this.#buffer = SHARED;
    this.#busy = length >= (this.#busy ? LITTLE : MUCH);
    if (receiver === undefined) {
      this.#unread = bytes.slice();
      this.#paused = true;
      this.socket.pause();
      return false;
    }
    this.#receiver = undefined;
    if (receiver.receive(bytes)) this.#goOn(receiver, length);
    // After a read that fills the buffer, libuv would read on at once. Bytes that nobody waits for would have to be
    // copied.
    else if (length === buffer.length) this.settle();
    // Only after the microtasks is it known whether the reader goes on, and Node reads again even later.
    else if (RESTLESS.push(this) === 1) setImmediate(settle);
    return !this.#paused;
  }

  /** Reads a bulk transfer into the receiver's memory. In a buffer of the socket, its bytes would be held twice. */
  #borrow(receiver: PortReceiver): void {
    if (!this.#busy) return;
    this.#buffer = receiver.lend();
    // Node has fixed the next buffer when the last read ended, so this replaces it.
    this.#handle?.useUserBuffer(this.#buffer);
  }

  get #handle(): BufferedSocket["_handle"] {
    return (this.socket as unknown as BufferedSocket)._handle;
  }

  /** Waits for more bytes, but first gives the other sockets their turn: libuv reads one up to 32 times in a row. */
  #goOn(receiver: PortReceiver, length: number): void {
    this.#receiver = receiver;
    this.#borrow(receiver);
    this.#turn += length;
    if (!TURNS.isOver(this.#turn)) return;
    this.#turn = 0;
    this.#paused = true;
    this.socket.pause();
    setImmediate(() => {
      if (this.#receiver !== undefined) this.#resume();
    });
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  /** Stops reading if nobody waits. */
  settle(): void {
    if (this.#receiver !== undefined || this.#paused) return;
    this.#paused = true;
    this.socket.pause();
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
    this.#finReceived = true;
    if (this.#unwritable) this.socket.destroy();
    const borrowed = this.#buffer === SHARED ? undefined : this.#buffer;
    this.#buffer = SHARED;
    if (borrowed) this.#handle?.useUserBuffer(SHARED);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end(borrowed);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over || this.#unwritable) return Promise.reject(this.#failure());
    this.socket.write(bytes.buffer === SHARED.buffer ? Buffer.from(bytes) : bytes);
    // The kernel has already taken all of it. Node would report that only in the next tick.
    if (this.socket.writableLength === 0 && this.socket.errored === null) {
      return this.#unwritable ? Promise.reject(this.#failure()) : undefined;
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
    this.#pending?.reject(this.#failure());
    this.#pending = undefined;
    if (this.#finReceived) this.socket.destroy();
  }

  close(): Promise<void> | undefined {
    if (this.#unwritable) return undefined;
    // close(2) sends FIN as well.
    if (this.#finReceived) return void this.socket.destroy();
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
    this.#unread = undefined;
    if (this.#over) return;
    // libuv cannot reset while the FIN is being sent.
    if (reset && "port" in this.remote && !this.socket.writableEnded) this.socket.resetAndDestroy();
    else this.socket.destroy();
    this.failed();
  }

  /** See `SocketWatcher`. */
  failed(cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#cause = cause;
    this.#pending?.reject(this.#failure());
    this.#pending = undefined;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.fail(this.#failure());
  }

  /** Made only when somebody waits for it, because an error costs a stack trace. */
  #failure(): SocketError {
    const cause = this.#cause ?? this.#unwritable;
    if (cause === undefined) {
      return socketError("The connection was destroyed on this side", { code: "connection_terminated" });
    }
    const { code = "" } = cause as NodeJS.ErrnoException;
    const problem = `The connection with ${show(this.remote)} failed`;
    return socketError(problem, { code: CODES[code] ?? "proxy_internal_error", cause });
  }
}

function settle(): void {
  for (const stream of RESTLESS.splice(0)) stream.settle();
}
