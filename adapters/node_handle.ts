/**
 * TCP connections of Node without the sockets of `node:net`: on the handles below them. On a busy machine, a short tunnel
 * cost 398 us of CPU time with them, and 586 without.
 *
 * @module
 */

import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import type { Address, SocketError, TcpAddress } from "../src/runtime/contract.ts";
import { show, tcpAddress } from "./addresses.ts";
import { BINDINGS, type Handle, type HandleReader, type Name, type Request } from "./node_bindings.ts";
import { KEEP_ALIVE_DELAY, type Pending, ReadingStream, SHARED, steady } from "./node_reading.ts";

const UV_EOF = -4095;
const NOTHING = new Uint8Array(0);

/** The request of the next write. Most writes are over at once, and leave it for the next. */
let spare: Request | undefined;

/** A connection on a handle. */
export class HandleStream extends ReadingStream implements HandleReader {
  readonly #handle: Handle;
  readonly #remote: TcpAddress;
  #local: Address | undefined;
  #pending: Pending | undefined;
  #finSent = false;
  #freed = false;
  /** The error that ended the connection. Undefined: this side did. */
  #error: number | undefined;
  /** The error of a failed write: nothing more can be sent, although reading may go on. */
  #unwritable: number | undefined;

  /** Takes the handle of an accepted or dialed connection. */
  constructor(handle: Handle, remote: TcpAddress) {
    super();
    this.#handle = handle;
    this.#remote = remote;
    handle.stream = this;
    handle.onread = onread;
    handle.setNoDelay(true);
    handle.setKeepAlive(true, KEEP_ALIVE_DELAY / 1_000);
    handle.useUserBuffer(SHARED);
  }

  get remote(): Address {
    return this.#remote;
  }

  /** Asked for late: few need it. */
  get local(): Address {
    return this.#local ??= (this.#freed ? undefined : nameOf((name) => this.#handle.getsockname(name))) ??
      UNKNOWN;
  }

  protected startReading(): void {
    if (!this.#freed) this.#handle.readStart();
  }

  protected stopReading(): void {
    if (!this.#freed) this.#handle.readStop();
  }

  protected replaceBuffer(buffer: Uint8Array): void {
    if (!this.#freed) this.#handle.useUserBuffer(buffer);
  }

  /** See `HandleReader`. */
  read(count: number): Uint8Array | undefined {
    if (count === 0 || this.#freed) return undefined;
    if (count === UV_EOF) this.#ended();
    else if (count < 0) this.#failed(count);
    else this.received(count);
    return this.buffer;
  }

  #ended(): void {
    this.stopReading();
    // After the last bytes, libuv takes every hang-up for a FIN, even a reset. An empty write tells which.
    if (this.#unwritable === undefined && !this.#finSent && this.#handle.writeQueueSize === 0) {
      const error = this.#handle.writeBuffer(new BINDINGS!.WriteWrap(), NOTHING);
      if (error !== 0) this.#unwritable = error;
    }
    // The system reports a reset only once. If a write has met it, the next read looks like an end. EPIPE is different:
    // a write gets it after a real end.
    if (this.#unwritable !== undefined && getSystemErrorName(this.#unwritable) !== "EPIPE") {
      return this.#failed(this.#unwritable);
    }
    // Both halves have ended.
    if (this.#unwritable !== undefined || (this.#finSent && !this.#pending)) this.#free();
    this.readingEnded();
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.over || this.#unwritable !== undefined) return Promise.reject(this.failure());
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = BINDINGS!;
    const request = spare ?? new WriteWrap();
    spare = undefined;
    const kept = steady(bytes);
    const error = this.#handle.writeBuffer(request, kept);
    if (error !== 0) {
      this.#writeFailed(error);
      return Promise.reject(this.failure());
    }
    if (streamBaseState[kLastWriteWasAsync] === 0) {
      spare = request;
      return undefined;
    }
    request.bytes = kept;
    return this.#completion(request, (error) => this.#writeFailed(error));
  }

  /** Settles when a request is done. */
  #completion(request: Request, failed: (error: number) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      request.oncomplete = (status) => {
        if (this.over) return;
        if (status < 0) return failed(status);
        this.#pending = undefined;
        if (this.#finSent && this.finReceived) this.#free();
        resolve();
      };
    });
  }

  get unsent(): number {
    return this.#freed ? 0 : this.#handle.writeQueueSize;
  }

  #writeFailed(error: number): void {
    this.#unwritable = error;
    this.#pending?.reject(this.failure());
    this.#pending = undefined;
    if (this.finReceived) this.#free();
  }

  close(): Promise<void> | undefined {
    if (this.#unwritable !== undefined || this.#freed) return undefined;
    this.#finSent = true;
    // close(2) sends FIN as well.
    if (this.finReceived) return void this.#free();
    const request = new BINDINGS!.ShutdownWrap();
    const error = this.#handle.shutdown(request);
    if (error === 0) return this.#completion(request, (error) => this.#failed(error));
    this.#writeFailed(error);
    return Promise.reject(this.failure());
  }

  destroy({ reset }: { readonly reset: boolean }): void {
    if (this.over) return;
    // libuv cannot reset while the FIN is being sent.
    if (!reset || this.#freed || this.#handle.reset() !== 0) this.#free();
    this.#freed = true;
    this.#gone();
  }

  #failed(error: number): void {
    if (this.over) return;
    this.#error = error;
    this.#free();
    this.#gone();
  }

  #gone(): void {
    this.over = true;
    this.#pending?.reject(this.failure());
    this.#pending = undefined;
    this.readingFailed();
  }

  #free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#handle.close();
  }

  protected get cause(): NodeJS.ErrnoException | undefined {
    const error = this.#error ?? this.#unwritable;
    return error === undefined ? undefined : systemError(getSystemErrorName(error));
  }
}

function systemError(code: string, message = code): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}

/** The address of a connection that is gone. */
const UNKNOWN: TcpAddress = { host: "0.0.0.0", port: 0 };

function nameOf(ask: (name: Name) => number): TcpAddress | undefined {
  const name: Name = {};
  return ask(name) === 0 && name.address !== undefined ? tcpAddress(name.address, name.port!) : undefined;
}

function onread(this: Handle): Uint8Array | undefined {
  const { streamBaseState, kReadBytesOrError } = BINDINGS!;
  return this.stream.read(streamBaseState[kReadBytesOrError]);
}

/** The connection on an accepted handle. Undefined if it is gone already. */
export function acceptedOn(handle: Handle): HandleStream | undefined {
  const remote = nameOf((name) => handle.getpeername(name));
  if (remote) return new HandleStream(handle, remote);
  handle.close();
  return undefined;
}

/** How to dial. */
export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** Makes the error of a dial that failed, from one that has the system's code. */
  readonly failure: (cause: Error) => SocketError;
}

/** Dials an IP address. Rejects with the failure, or with the reason of the signal. */
export function connect(to: TcpAddress, { signal, failure }: ConnectOptions): Promise<HandleStream> {
  return new Promise((resolve, reject) => {
    const { TCP, TCPConnectWrap, constants: { SOCKET } } = BINDINGS!;
    const handle = new TCP(SOCKET);
    const abandon = (): void => end(() => reject(signal!.reason));
    signal?.addEventListener("abort", abandon);
    let over = false;
    function end(tell: () => void): void {
      if (over) return;
      over = true;
      signal?.removeEventListener("abort", abandon);
      handle.close();
      tell();
    }
    const failed = (error: number): void => {
      const code = getSystemErrorName(error);
      end(() => reject(failure(systemError(code, `connect ${code} ${show(to)}`))));
    };
    const request = new TCPConnectWrap();
    request.oncomplete = (status) => {
      if (over) return;
      if (status < 0) return failed(status);
      // Who dials 0.0.0.0 reaches another address. A connection that was reset at once has none any more.
      const remote = nameOf((name) => handle.getpeername(name));
      if (!remote) return failed(ECONNRESET);
      over = true;
      signal?.removeEventListener("abort", abandon);
      resolve(new HandleStream(handle, remote));
    };
    const error = to.host.includes(":")
      ? handle.connect6(request, to.host, to.port)
      : handle.connect(request, to.host, to.port);
    if (error !== 0) failed(error);
  });
}

const ECONNRESET = -constants.errno.ECONNRESET;
