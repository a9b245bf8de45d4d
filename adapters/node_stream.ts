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

/** What `new Socket()` takes, undocumented, to own the handle of another. */
interface AdoptionOptions {
  handle: unknown;
  pauseOnCreate: boolean;
}

/** What there is of the handle of a socket with `onread`, undocumented. */
interface BufferedSocket {
  readonly _handle: {
    /** Sets the buffer of the next read. */
    useUserBuffer(buffer: Uint8Array): void;
    /** Bytes that libuv holds for the kernel. */
    readonly writeQueueSize: number;
  } | null;
}

/** Settles the write or the close in progress. */
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
 * A socket whose failed write is kept from `node:stream`, which would destroy the half that can still be read. To the
 * stream everything is written from then on.
 */
class HalfSocket extends Socket {
  watcher: SocketWatcher | undefined;
  #failed = false;
  #done: (error?: Error | null) => void = () => {};
  /** All writes share it, since there is only one at a time. */
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

/** What the system's codes mean on a connection. */
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

/** Behind a read of so many bytes a socket is read into its receiver's memory; behind one of fewer than `LITTLE` no longer. */
const MUCH = 32 * 1024;
const LITTLE = 8 * 1024;

/**
 * Where sockets are read into that have little to say: Node fixes the buffer of a read when the one before it is done,
 * and one for each socket would cost memory while they idle. Any of them may be read at any time, so that nothing may
 * keep what is in it: what is written is a copy.
 */
const SHARED = new Uint8Array(256 * 1024);

/** Sockets that nobody waited for when they had something. */
const RESTLESS: SocketStream[] = [];

/** A socket that was accepted, whose handle is taken over, or one that is yet to be dialed. */
export class SocketStream extends PortStream {
  readonly socket: HalfSocket;
  local: Address = { path: "" };
  remote: Address = { path: "" };
  /** Whoever waits for a read. */
  #receiver: PortReceiver | undefined;
  #paused = true;
  /** Bytes since its turn began. */
  #turn = 0;
  /** Whether it has much to say. */
  #busy = false;
  /** Where the read under way goes. */
  #buffer: Uint8Array<ArrayBuffer> = SHARED;
  /** Received before it was wanted. */
  #unread: Uint8Array<ArrayBuffer> | undefined;
  #finReceived = false;
  #pending: Pending | undefined;
  #over = false;
  #cause: Error | undefined;
  /** Why nothing more can be sent, though perhaps read. */
  #unwritable: NodeJS.ErrnoException | undefined;

  constructor(adoption?: AdoptionOptions) {
    super();
    const onread = { buffer: () => this.#buffer, callback: (length: number) => this.#receive(length) };
    const options = { allowHalfOpen: true, ...adoption ?? TCP_OPTIONS, onread };
    this.socket = new HalfSocket(options);
    this.socket.watcher = this;
    // Node heeds those options where it connects, not where it adopts.
    if (adoption) this.socket.setNoDelay(true).setKeepAlive(true, TCP_OPTIONS.keepAliveInitialDelay);
    this.socket.on("end", ended).on("error", failed);
  }

  /** Notes the addresses of a TCP connection; one that is already gone has none, is destroyed, and answers false. */
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
    // Node may have destroyed the socket by now, of which both halves have ended.
    if (this.#finReceived) return receiver.end();
    this.#receiver = receiver;
    this.#borrow(receiver);
    this.#resume();
  }

  /** Takes what is in the buffer; false makes Node stop reading. */
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
    // Behind a read that fills the buffer libuv would go on at once, and what nobody waits for would be kept in a copy.
    else if (length === buffer.length) this.settle();
    // Whether the reader goes on is known only after the microtasks; Node reads again later still.
    else if (RESTLESS.push(this) === 1) setImmediate(settle);
    return !this.#paused;
  }

  /** Reads into the receiver's memory what is much: in a buffer of the socket's own it would be held twice. */
  #borrow(receiver: PortReceiver): void {
    if (!this.#busy) return;
    this.#buffer = receiver.lend();
    // Node has fixed the next buffer where the last read is over.
    this.#handle?.useUserBuffer(this.#buffer);
  }

  get #handle(): BufferedSocket["_handle"] {
    return (this.socket as unknown as BufferedSocket)._handle;
  }

  /** Waits for more, though not before the others have had their turn: libuv reads up to 32 times at once. */
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

  /** Stops reading when nobody waits. */
  settle(): void {
    if (this.#receiver !== undefined || this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  /** See `SocketWatcher`. */
  ended(): void {
    if (this.socket.destroyed) return;
    // Behind the last bytes libuv takes a hang-up for a FIN, be it a reset (Node 20 to 24): a write of nothing tells.
    const asks = "port" in this.remote && this.socket.writableLength === 0 && !this.socket.writableEnded;
    if (asks && !this.#unwritable) this.socket.write(NOTHING);
    // The system tells only once that a connection is gone. A write has met it, so what is read next looks like an end;
    // EPIPE is what a write meets behind a real one.
    if (this.#unwritable && this.#unwritable.code !== "EPIPE") {
      return void this.socket.destroy(this.#unwritable);
    }
    this.#finReceived = true;
    if (this.#unwritable) this.socket.destroy();
    const borrowed = this.#buffer === SHARED ? undefined : this.#buffer;
    this.#buffer = SHARED;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end(borrowed);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over || this.#unwritable) return Promise.reject(this.#failure());
    this.socket.write(bytes.buffer === SHARED.buffer ? Buffer.from(bytes) : bytes);
    // The kernel has taken it all already: Node would say so only in the next tick.
    if (this.socket.writableLength === 0 && this.socket.errored === null) {
      return this.#unwritable ? Promise.reject(this.#failure()) : undefined;
    }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      // The callback of this one comes when the one before it is done.
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
    // libuv cannot reset while the FIN is on its way.
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

  /** Made only where somebody waits for it, as it costs a stack trace. */
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
