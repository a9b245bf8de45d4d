/**
 * TCP connections of Node without the sockets of `node:net`: on the handles below them. A short tunnel costs half the CPU
 * so, and an idle one less memory.
 *
 * The handles are not documented. They are the same from Node 20 to 26, and only these versions use them; with others, and
 * where the process may not have them (`--permission`), `node_stream.ts` does the work.
 *
 * @module
 */

import { constants } from "node:os";
import process from "node:process";
import { getSystemErrorName } from "node:util";
import type { Address, SocketError, TcpAddress } from "../src/runtime/contract.ts";
import { show, tcpAddress } from "./addresses.ts";
import { CODES, KEEP_ALIVE_DELAY, ReadingStream, SHARED, steady } from "./node_reading.ts";
import { socketError } from "./socket_errors.ts";

/** A request of libuv that is under way. */
interface Request {
  oncomplete?: (status: number) => void;
  /** Keeps the bytes of a write alive. */
  bytes?: Uint8Array;
}

/** An address as a handle tells it. */
interface Name {
  address?: string;
  port?: number;
}

/** A TCP connection. Numbers that are returned are 0 or a negative error of libuv. */
export interface Handle {
  onread: (this: Handle) => Uint8Array | undefined;
  /** Ours. */
  stream: HandleStream;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  setNoDelay(on: boolean): number;
  setKeepAlive(on: boolean, seconds: number): number;
  getsockname(name: Name): number;
  getpeername(name: Name): number;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
  connect(request: Request, host: string, port: number): number;
  connect6(request: Request, host: string, port: number): number;
  reset(): number;
  close(): void;
}

type Constructor<T> = new (...options: number[]) => T;

/** What Node's own `net` is made of. */
interface Bindings {
  readonly TCP: Constructor<Handle>;
  readonly TCPConnectWrap: Constructor<Request>;
  readonly constants: { readonly SOCKET: number };
  readonly WriteWrap: Constructor<Request>;
  readonly ShutdownWrap: Constructor<Request>;
  /** The results of the last call, at the two indexes below. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

const LATEST = 26;

/** Undefined where they cannot be had. */
const BINDINGS = bindings();

function bindings(): Bindings | undefined {
  const major = Number.parseInt(process.versions.node);
  if (major < 20 || major > LATEST) return undefined;
  try {
    const { binding } = process as unknown as { binding(name: string): Bindings };
    const found = { ...binding.call(process, "tcp_wrap"), ...binding.call(process, "stream_wrap") };
    return typeof found.kLastWriteWasAsync === "number" && typeof found.TCP === "function"
      ? found
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether connections may be on handles. */
export const HAS_HANDLES = BINDINGS !== undefined;

const UV_EOF = -4095;
const NOTHING = new Uint8Array(0);

/** The request of the next write. Most writes are over at once, and leave it for the next. */
let spare: Request | undefined;

/** Settles the current write or close. */
interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
}

/** A connection on a handle. */
export class HandleStream extends ReadingStream {
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

  /** A read has brought so many bytes, or a negative error. Returns the buffer of the next read. */
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

  /** Made only when somebody waits for it, because an error costs a stack trace. */
  protected failure(): SocketError {
    const error = this.#error ?? this.#unwritable;
    if (error === undefined) {
      return socketError("The connection was destroyed on this side", { code: "connection_terminated" });
    }
    const name = getSystemErrorName(error);
    const cause = Object.assign(new Error(name), { code: name });
    const problem = `The connection with ${show(this.#remote)} failed`;
    return socketError(problem, { code: CODES[name] ?? "proxy_internal_error", cause });
  }
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
export function accepted(handle: Handle): HandleStream | undefined {
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
      end(() => reject(failure(Object.assign(new Error(`connect ${code} ${show(to)}`), { code }))));
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
