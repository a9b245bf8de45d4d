/**
 * The sockets of Bun as byte streams.
 *
 * What Bun does, measured on 1.4.5, and what follows from it here:
 *
 * - It pushes: a `data` event brings a fresh copy of what one recv(2) gave, up to 512 KiB. Bun cannot be asked for
 *   less. If a read takes only a part, the rest is kept for the next read, and nothing more is ever kept.
 * - `pause()` acts at once, even on data that the same poll has yet to bring. A paused socket reports no FIN: it stays
 *   in the kernel, behind the unread bytes, until `resume()`. It does report a reset, and may bring one more chunk with
 *   it.
 * - `pause()` and `resume()` each cost two system calls and a `drain` event that means nothing.
 * - The peer's FIN is an `end` event while our half is open, and only a `close` event afterwards. Bun closes the
 *   descriptor when both halves have ended. A reset is a `close` event with an error.
 * - When a write meets a TCP reset, Bun returns -1 and gives no reason. Bytes that came before can still be read.
 *   Behind them the reset looks like a FIN, because the system reports it only once; here it is a reset.
 * - `terminate()` sends RST. `close()` is close(2): what was written goes out, and a FIN.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { PortReceiver } from "../src/runtime/direct_port.ts";
import type { Address, SocketError } from "../src/runtime/contract.ts";
import { tcpAddress } from "./addresses.ts";
import { PortStream } from "./port_stream.ts";
import { socketError } from "./socket_errors.ts";
import { Turns } from "./turns.ts";

/** The part of Bun's socket that is used here. */
export interface BunSocket {
  data: SocketStream;
  readonly fd: number;
  /** Undefined once the socket is closed. */
  readonly localAddress?: string;
  readonly localPort?: number;
  /** Undefined if the peer left before the socket was accepted. */
  readonly remoteAddress?: string;
  readonly remotePort: number;
  /** Returns how many bytes the kernel took, or -1 after an error or on a closed socket. */
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  shutdown(): void;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  reload(options: { socket: object }): void;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean, milliseconds: number): void;
}

/** The bytes that the kernel has not taken yet, and the write() that waits for them. */
interface PendingWrite {
  chunk: Uint8Array;
  offset: number;
  /** Whether it was already waiting at the last look. */
  old: boolean;
  resolve(): void;
  reject(error: SocketError): void;
}

/** Milliseconds of silence before the first keep-alive probe. */
const KEEP_ALIVE_DELAY = 15_000;

/** After a read that almost fills its 512 KiB, Bun reads again at once; after a shorter one it polls. */
const LONG_READ = 256 * 1024;

const TURNS = new Turns({ long: 1024 * 1024, short: 64 * 1024 });

const RESET = "The connection was reset";

/** Sockets that are new, or that had bytes while nobody waited for them. */
const RESTLESS: SocketStream[] = [];

/** Sockets with a waiting write, and how often to look at them, in milliseconds. */
const WAITING = new Set<SocketStream>();
const LOOK = 1_000;

/** A socket that was accepted or dialed, and reads. */
export class SocketStream extends PortStream {
  /** Shared by all sockets; each has its state in `socket.data`. */
  static readonly handlers = {
    binaryType: "uint8array",
    data: (socket: BunSocket, chunk: Uint8Array<ArrayBuffer>) => socket.data.#receive(chunk),
    drain: (socket: BunSocket) => socket.data.#drain(),
    end: (socket: BunSocket) => socket.data.#end(),
    close: (socket: BunSocket, error?: Error) => socket.data.#closed(error),
    error: (socket: BunSocket, { message }: Error) => socket.data.destroy({ reset: true, why: message }),
  };

  /** See `DirectPort`. */
  readonly gives = true;
  readonly #socket: BunSocket;
  #local: Address | undefined;
  #remote: Address | undefined;
  #paused = false;
  /** How many bytes were read since its turn began. */
  #turn = 0;
  /** The receiver that waits for a read. */
  #receiver: PortReceiver | undefined;
  /** Chunks that came before a read asked for them. */
  #unread: Uint8Array<ArrayBuffer>[] | undefined;
  #finReceived = false;
  #finSent = false;
  #pending: PendingWrite | undefined;
  /** Whether a write has failed: nothing more can be sent. */
  #unwritable = false;
  /** Why the connection is over. */
  #why: string | undefined;
  #cause: Error | undefined;

  /** Takes over a socket that reads. Only a TCP socket knows its addresses. */
  constructor(socket: BunSocket, { local, remote }: { local?: Address; remote?: Address }) {
    super();
    socket.data = this;
    this.#socket = socket;
    this.#local = local;
    this.#remote = remote;
    if (local === undefined) socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
    this.#pauseSoon();
  }

  /** Asked for late, since each address costs two system calls, and few need our own. */
  get local(): Address {
    return this.#local ??= tcpAddress(this.#socket.localAddress ?? "0.0.0.0", this.#socket.localPort ?? 0);
  }

  get remote(): Address {
    return this.#remote ??= tcpAddress(this.#socket.remoteAddress ?? "", this.#socket.remotePort);
  }

  pull(receiver: PortReceiver): void {
    while (this.#unread !== undefined) {
      const chunk = this.#unread.shift()!;
      if (this.#unread.length === 0) this.#unread = undefined;
      if (!receiver.receive(chunk)) return;
    }
    if (this.#why !== undefined) return receiver.fail(terminated(this.#why, this.#cause));
    this.#receiver = receiver;
    if (this.#finReceived) this.#end();
    else this.#resume();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #receive(chunk: Uint8Array<ArrayBuffer>): void {
    if (this.#why !== undefined) return;
    TURNS.heard(chunk.byteLength);
    const receiver = this.#receiver;
    if (receiver === undefined) {
      (this.#unread ??= []).push(chunk);
      return this.#pauseUnlessWanted();
    }
    this.#receiver = undefined;
    if (receiver.receive(chunk)) this.#goOn(receiver, chunk.byteLength);
    // Only after the microtasks is it known whether the reader goes on. After a long read, Bun reads again before it
    // polls.
    else if (chunk.byteLength >= LONG_READ) queueMicrotask(() => this.#pauseUnlessWanted());
    else this.#pauseSoon();
  }

  /** Waits for more bytes, but first gives the other sockets their turn: Bun reads one several times in a row. */
  #goOn(receiver: PortReceiver, length: number): void {
    this.#receiver = receiver;
    this.#turn += length;
    if (this.#why !== undefined || !TURNS.isOver(this.#turn)) return;
    this.#turn = 0;
    this.#paused = true;
    this.#socket.pause();
    setImmediate(() => {
      if (this.#receiver !== undefined) this.#resume();
    });
  }

  #pauseSoon(): void {
    if (RESTLESS.push(this) === 1) setImmediate(SocketStream.#settle);
  }

  static #settle(this: void): void {
    for (const stream of RESTLESS.splice(0)) stream.#pauseUnlessWanted();
  }

  #pauseUnlessWanted(): void {
    if (this.#receiver !== undefined || this.#paused || this.#why !== undefined) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #end(): void {
    if (this.#unwritable && !this.#finReceived && "port" in this.remote) {
      this.#fail(RESET);
      return this.#socket.terminate();
    }
    this.#finReceived = true;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end();
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#why !== undefined || this.#unwritable) {
      return Promise.reject(terminated(this.#why ?? RESET, this.#cause));
    }
    const taken = this.#socket.write(bytes);
    if (taken === bytes.byteLength) return undefined;
    return new Promise((resolve, reject) => {
      this.#pending = { chunk: bytes, offset: 0, old: false, resolve, reject };
      if (WAITING.add(this).size === 1) setTimeout(SocketStream.#look, LOOK);
      this.#advance(taken);
    });
  }

  /** A peer that has stopped reading may never go on, so the part of its chunk that was sent is freed. */
  static #look(this: void): void {
    for (const stream of WAITING) {
      const pending = stream.#pending;
      if (pending === undefined) {
        WAITING.delete(stream);
      } else if (!pending.old) {
        pending.old = true;
      } else if (pending.offset > 0) {
        pending.chunk = pending.chunk.slice(pending.offset);
        pending.offset = 0;
      }
    }
    if (WAITING.size > 0) setTimeout(SocketStream.#look, LOOK);
  }

  #drain(): void {
    if (this.#pending === undefined) return;
    const { chunk, offset } = this.#pending;
    this.#advance(this.#socket.write(chunk, offset, chunk.byteLength - offset));
  }

  #advance(taken: number): void {
    const pending = this.#pending!;
    pending.offset += taken;
    if (taken < 0) {
      this.#unwritable = true;
      this.#failWrites(RESET);
      if (this.#finReceived) this.#socket.close();
    } else if (pending.offset === pending.chunk.byteLength) {
      this.#pending = undefined;
      pending.resolve();
    }
  }

  get unsent(): number {
    const pending = this.#pending;
    return pending === undefined ? 0 : pending.chunk.byteLength - pending.offset;
  }

  close(): undefined {
    if (this.#unwritable) return;
    this.#finSent = true;
    // close(2) sends FIN as well.
    if (this.#finReceived) this.#socket.close();
    else this.#socket.shutdown();
  }

  destroy({ reset = false, why = "The connection was destroyed on this side" } = {}): void {
    this.#unread = undefined;
    if (this.#why !== undefined) return;
    this.#fail(why);
    if (reset) this.#socket.terminate();
    else this.#socket.close();
  }

  #closed(cause?: Error): void {
    if (this.#why !== undefined) return;
    if (cause !== undefined && !this.#finReceived) return this.#fail(RESET, cause);
    // The peer of a Unix socket can close both halves at once.
    if (!this.#finSent) this.#failWrites("The peer has closed the connection");
    this.#end();
  }

  /** An error costs a stack trace, so it is made only when somebody waits for it. */
  #fail(why: string, cause?: Error): void {
    this.#why = why;
    this.#cause = cause;
    this.#failWrites(why, cause);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.fail(terminated(why, cause));
  }

  #failWrites(why: string, cause?: Error): void {
    this.#pending?.reject(terminated(why, cause));
    this.#pending = undefined;
  }
}

function terminated(problem: string, cause?: Error): SocketError {
  return socketError(problem, { code: "connection_terminated", cause });
}
