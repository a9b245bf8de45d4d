/**
 * The handles below the sockets of `node:net`.
 *
 * They are not documented. They are the same from Node 20 to 26, and only these versions use them. With others, and where
 * the process may not have them (`--permission`), `node_stream.ts` does the work.
 *
 * @module
 */

import process from "node:process";

/** A request of libuv that is under way. */
export interface Request {
  oncomplete?: (status: number) => void;
  /** Keeps the bytes of a write alive. */
  bytes?: Uint8Array;
}

/** An address as a handle tells it. */
export interface Name {
  address?: string;
  port?: number;
}

/** Told of what a handle has read. */
export interface HandleReader {
  /** A read has brought so many bytes, or a negative error. Returns the buffer of the next read. */
  read(count: number): Uint8Array | undefined;
}

/** A TCP connection. Numbers that are returned are 0 or a negative error of libuv. */
export interface Handle {
  onread: (this: Handle) => Uint8Array | undefined;
  /** Ours. */
  stream: HandleReader;
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
export const BINDINGS = bindings();

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
