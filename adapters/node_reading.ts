/**
 * How a socket of Node is read: who waits for bytes, into which memory they come, and whose turn it is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import type { PortReceiver } from "../src/runtime/direct_port.ts";
import type { SocketError } from "../src/runtime/contract.ts";
import { show } from "./addresses.ts";
import { PortStream } from "./port_stream.ts";
import { type Codes, socketError } from "./socket_errors.ts";
import { Turns } from "./turns.ts";

/** The meaning of the system's error codes on a connection. */
const CODES: Codes = {
  ECONNABORTED: "connection_terminated",
  ECONNRESET: "connection_terminated",
  EHOSTUNREACH: "destination_ip_unroutable",
  ENETUNREACH: "destination_ip_unroutable",
  EPIPE: "connection_terminated",
  ETIMEDOUT: "connection_timeout",
};

/** Milliseconds of silence before the first keep-alive probe. */
export const KEEP_ALIVE_DELAY = 15_000;

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
export const SHARED = new Uint8Array(64 * 1024);

/** Sockets that had bytes while nobody waited for them. */
const RESTLESS: ReadingStream[] = [];

/** Settles the current write or close. */
export interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
}

/** A socket that is read when somebody waits. */
export abstract class ReadingStream extends PortStream {
  /** Whether the connection is gone. */
  protected over = false;
  protected finReceived = false;
  /** The buffer of the next read. */
  protected buffer: Uint8Array<ArrayBuffer> = SHARED;
  /** The receiver that waits for a read. */
  #receiver: PortReceiver | undefined;
  #paused = true;
  /** How many bytes were read since its turn began. */
  #turn = 0;
  /** Whether its reads are long, as in a bulk transfer. */
  #busy = false;
  /** Bytes that came before a read asked for them. */
  #unread: Uint8Array<ArrayBuffer> | undefined;

  protected abstract startReading(): void;
  protected abstract stopReading(): void;
  /** Replaces the buffer of the next read, which Node has fixed when the last read ended. */
  protected abstract replaceBuffer(buffer: Uint8Array): void;
  /** The error that ended the connection, or that ended its writing. Undefined: this side ended it. */
  protected abstract get cause(): NodeJS.ErrnoException | undefined;

  pull(receiver: PortReceiver): void {
    const unread = this.#unread;
    this.#unread = undefined;
    if (unread !== undefined && !receiver.receive(unread)) return;
    if (this.over) return receiver.fail(this.failure());
    // Both halves have ended, so Node may have destroyed the socket by now.
    if (this.finReceived) return receiver.end();
    this.#receiver = receiver;
    this.#borrow(receiver);
    this.#resume();
  }

  /** Takes the bytes of a read, which are at the beginning of its buffer. Returns whether to read on. */
  protected received(length: number): boolean {
    TURNS.heard(length);
    const receiver = this.#receiver;
    const { buffer } = this;
    const bytes = buffer.subarray(0, length);
    this.buffer = SHARED;
    this.#busy = length >= (this.#busy ? LITTLE : MUCH);
    if (receiver === undefined) {
      this.#unread = bytes.slice();
      this.#pause();
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
    this.buffer = receiver.lend();
    this.replaceBuffer(this.buffer);
  }

  /** Waits for more bytes, but first gives the other sockets their turn: libuv reads one up to 32 times in a row. */
  #goOn(receiver: PortReceiver, length: number): void {
    this.#receiver = receiver;
    this.#borrow(receiver);
    this.#turn += length;
    if (!TURNS.isOver(this.#turn)) return;
    this.#turn = 0;
    this.#pause();
    setImmediate(() => {
      if (this.#receiver !== undefined) this.#resume();
    });
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.startReading();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.stopReading();
  }

  /** Stops reading if nobody waits. */
  settle(): void {
    if (this.#receiver === undefined) this.#pause();
  }

  /** The peer has sent FIN. */
  protected readingEnded(): void {
    this.finReceived = true;
    const borrowed = this.buffer === SHARED ? undefined : this.buffer;
    this.buffer = SHARED;
    if (borrowed) this.replaceBuffer(SHARED);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end(borrowed);
  }

  /** The connection is gone: ends the wait of the reader, and drops the bytes that were not read. */
  protected readingFailed(): void {
    this.#unread = undefined;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.fail(this.failure());
  }

  /** Made only when somebody waits for it, because an error costs a stack trace. */
  protected failure(): SocketError {
    const { cause } = this;
    if (cause === undefined) {
      return socketError("The connection was destroyed on this side", { code: "connection_terminated" });
    }
    const problem = `The connection with ${show(this.remote)} failed`;
    return socketError(problem, { code: CODES[cause.code ?? ""] ?? "proxy_internal_error", cause });
  }
}

/** Bytes that stay as they are until a write is done. */
export function steady(bytes: Uint8Array): Uint8Array {
  return bytes.buffer === SHARED.buffer ? Buffer.from(bytes) : bytes;
}

function settle(): void {
  for (const stream of RESTLESS.splice(0)) stream.settle();
}
