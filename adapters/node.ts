/**
 * The adapter for Node 20 and later: sockets of `node:net` as byte streams.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, isIP, Socket } from "node:net";
import process from "node:process";
import type {
  Address,
  ByteStream,
  DialOptions,
  Listener,
  ListenOptions,
  ResolveOptions,
  Runtime,
  SocketError,
  SocketErrorCode,
  TcpAddress,
  UnixAddress,
} from "../src/runtime.ts";

// --- types ---

/** What `new Socket()` takes, undocumented, to own the handle of another. */
interface AdoptionOptions {
  handle: unknown;
  pauseOnCreate: boolean;
}

/** Settles the write or the close in progress. */
interface Pending {
  resolve(): void;
  reject(error: SocketError): void;
}

// --- adapter ---

const TCP_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 15_000 };

/**
 * Makes the adapter for Node.
 *
 * @throws {Error} in another runtime
 */
export function createRuntime(): Runtime {
  const { bun, deno } = process.versions as Record<string, string | undefined>;
  if (bun !== undefined || deno !== undefined) {
    throw new Error("This is the adapter for Node: use the one of your runtime");
  }
  return { name: "node", listen, dial, resolve, descriptorLimit, environment };
}

async function listen({ address }: ListenOptions): Promise<Listener> {
  const queue: SocketStream[] = [];
  let closed = false;
  let wake = (): void => {};
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, ...TCP_OPTIONS }, (accepted) => {
    // A socket that was accepted cannot be given `onread`, and without that Node reads ahead and allocates
    // 64 KiB for each read. So its handle moves to a second Socket; the first is forgotten unused.
    const { _handle: handle } = accepted as unknown as { _handle: unknown };
    const stream = new SocketStream({ handle, pauseOnCreate: true });
    if ("path" in address) stream.local = address;
    else if (!stream.locate()) return;
    queue.push(stream);
    wake();
  });
  try {
    if ("path" in address) server.listen({ path: unixPath(address) });
    else server.listen({ host: address.host, port: address.port });
    await once(server, "listening");
  } catch (cause) {
    throw failure(`Cannot listen on ${show(address)}`, { cause, codes: LISTEN_CODES });
  }
  // An accept error. Out of descriptors, libuv closes the clients that wait; it needs no help to go on.
  server.on("error", () => {});
  const bound = server.address();
  return {
    address: bound === null || typeof bound === "string" ? address : tcpAddress(bound.address, bound.port),
    close(): Promise<void> {
      closed = true;
      server.close();
      for (const stream of queue.splice(0)) stream.socket.destroy();
      wake();
      return Promise.resolve();
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<ByteStream> {
      while (!closed) {
        const stream = queue.shift();
        if (stream !== undefined) yield stream;
        else await new Promise<void>((resolve) => wake = resolve);
      }
    },
  };
}

async function dial(to: Address, { signal }: DialOptions = {}): Promise<ByteStream> {
  signal?.throwIfAborted();
  const stream = new SocketStream();
  try {
    // Otherwise Node reads as soon as it is connected.
    stream.socket.pause();
    if ("path" in to) stream.socket.connect({ path: unixPath(stream.remote = to) });
    else if (isIP(to.host) === 0) throw new Error("Not an IP address, resolve it first");
    else stream.socket.connect({ host: to.host, port: to.port, autoSelectFamily: false });
    await once(stream.socket, "connect", { signal });
    signal?.throwIfAborted();
    if ("port" in to && !stream.locate()) throw Object.assign(new Error("Reset"), { code: "ECONNRESET" });
    return stream;
  } catch (cause) {
    stream.socket.destroy();
    throw signal?.aborted ? signal.reason : failure(`Cannot dial ${show(to)}`, { cause });
  }
}

async function resolve(host: string, { signal }: ResolveOptions = {}): Promise<string[]> {
  signal?.throwIfAborted();
  let abandon = (): void => {};
  const aborted = new Promise<never>((_, reject) => abandon = () => reject(signal?.reason));
  signal?.addEventListener("abort", abandon);
  try {
    // Node answers the empty name with a deprecation warning.
    const answer = host === "" ? [] : await Promise.race([lookup(host, { all: true }), aborted]);
    if (answer.length === 0) throw new Error("No address found");
    return answer.map(({ address }) => address);
  } catch (cause) {
    if (signal?.aborted) throw signal.reason;
    throw failure(`Cannot resolve "${host}"`, { cause, other: "dns_error" });
  } finally {
    signal?.removeEventListener("abort", abandon);
  }
}

function descriptorLimit(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
    return limit === null ? undefined : Number(limit[1]);
  } catch {
    return undefined;
  }
}

function environment(name: string): string | undefined {
  return process.env[name];
}

// --- streams ---

/** What a default reader gets at most; a BYOB reader brings its own size. */
const DEFAULT_VIEW = 16 * 1024;

const NOTHING = new Uint8Array(0);

/**
 * Where all sockets are read into. Node fixes the buffer of a read when the one before it is done, and then
 * the reader has not brought its view yet; a copy from here costs far less than a fresh buffer for each read.
 */
const SCRATCH = new Uint8Array(256 * 1024);

class SocketStream implements ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly socket: Socket;
  local: Address = { path: "" };
  remote: Address = { path: "" };
  #source!: ReadableByteStreamController;
  #sink!: WritableStreamDefaultController;
  /** Whether a reader waits. */
  #wanted = false;
  /** As much of the scratch buffer as the last view had room, so that little is read beyond the next. */
  #window = SCRATCH.subarray(0, DEFAULT_VIEW);
  /** What was read beyond a view. */
  #rest: Uint8Array = NOTHING;
  #pending: Pending | undefined;
  #onWritten = (error?: Error | null): void => {
    if (!error && this.socket.writableLength === 0 && !this.socket.writableEnded) this.#pending?.resolve();
  };

  constructor(adoption?: AdoptionOptions) {
    const onread = { buffer: () => this.#window, callback: (length: number) => this.#receive(length) };
    const options = { allowHalfOpen: true, ...TCP_OPTIONS, onread, ...adoption };
    this.socket = new Socket(options);
    this.socket.on("end", () => this.#end());
    this.socket.on("error", (cause) => this.#fail(`The connection with ${show(this.remote)} failed`, cause));
    this.readable = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: DEFAULT_VIEW,
      start: (controller) => void (this.#source = controller),
      pull: () => this.#pull(),
      cancel: () => {
        this.socket.destroy();
        this.#fail("The connection was destroyed by readable.cancel()");
      },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream<Uint8Array>({
      start: (controller) => {
        this.#sink = controller;
        // abort() of a sink is not called before the write in progress has settled.
        controller.signal.addEventListener("abort", () => this.#abort());
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
    });
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

  #pull(): void {
    if (this.#rest.byteLength > 0) {
      this.#deliver(this.#rest);
    } else {
      this.#wanted = true;
      this.socket.resume();
    }
  }

  /** Takes what is in the scratch buffer; false makes Node pause. */
  #receive(length: number): boolean {
    const room = this.#source.byobRequest!.view!.byteLength;
    if (this.#window.byteLength !== room) this.#window = SCRATCH.subarray(0, room);
    this.#wanted = false;
    this.#deliver(length > room ? SCRATCH.slice(0, length) : SCRATCH.subarray(0, length));
    return this.#wanted;
  }

  #deliver(bytes: Uint8Array): void {
    const request = this.#source.byobRequest!;
    const view = request.view as Uint8Array;
    const length = Math.min(bytes.byteLength, view.byteLength);
    view.set(length === bytes.byteLength ? bytes : bytes.subarray(0, length));
    // Before respond(), which pulls at once when another reader waits.
    this.#rest = length === bytes.byteLength ? NOTHING : bytes.subarray(length);
    request.respond(length);
  }

  #end(): void {
    if (this.socket.destroyed) return;
    this.#source.close();
    this.#source.byobRequest?.respond(0);
  }

  #write(chunk: Uint8Array): Promise<void> | undefined {
    if (chunk.byteLength === 0) return;
    this.socket.write(chunk, this.#onWritten);
    // The kernel has taken it all already: Node would say so only in the next tick.
    if (this.socket.writableLength === 0 && this.socket.errored === null) return;
    return new Promise((resolve, reject) => this.#pending = { resolve, reject });
  }

  #close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.socket.end((error?: Error | null) => {
        if (!error) resolve();
      });
    });
  }

  #abort(): void {
    if (this.socket.writableEnded) {
      // libuv cannot reset while the FIN is on its way, and a failing close() would make abort() reject.
      this.#pending?.resolve();
      this.socket.destroy();
    } else if ("port" in this.remote) {
      this.socket.resetAndDestroy();
    } else {
      this.socket.destroy();
    }
    this.#fail("The connection was destroyed by writable.abort()");
  }

  #fail(message: string, cause?: Error): void {
    const error = failure(message, { cause, other: cause ? undefined : "connection_terminated" });
    this.#source.error(error);
    // An abort() in progress fails the sink itself; Node's streams do not expect to be told twice.
    if (!this.#sink.signal.aborted) this.#sink.error(error);
    this.#pending?.reject(error);
  }
}

/** The path of a Unix socket. Node takes an empty one for TCP, and cuts a long one short without a word. */
function unixPath({ path }: UnixAddress): string {
  const most = process.platform === "linux" ? 107 : 103;
  const { byteLength } = new TextEncoder().encode(path);
  if (byteLength > 0 && byteLength <= most) return path;
  throw Object.assign(new Error(`Use a path of 1 to ${most} bytes`), { code: "ENAMETOOLONG" });
}

/** An address in the contract's form: without zone, and IPv4 as IPv4 where an IPv6 socket accepted it. */
function tcpAddress(host: string, port: number): TcpAddress {
  return { host: host.replace(/^::ffff:(?=\d+\.)|%.*$/g, ""), port };
}

// --- errors ---

/** What the system's codes mean on a connection. */
const CODES: Record<string, SocketErrorCode> = {
  EACCES: "destination_unavailable",
  EADDRNOTAVAIL: "destination_ip_unroutable",
  EAFNOSUPPORT: "destination_ip_unroutable",
  ECONNABORTED: "connection_terminated",
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "connection_terminated",
  EHOSTUNREACH: "destination_ip_unroutable",
  EMFILE: "connection_limit_reached",
  ENAMETOOLONG: "destination_unavailable",
  ENETUNREACH: "destination_ip_unroutable",
  ENFILE: "connection_limit_reached",
  ENOENT: "destination_unavailable",
  EPERM: "destination_ip_unroutable",
  EPIPE: "connection_terminated",
  ETIMEDOUT: "connection_timeout",
};

/** What they mean to a listener. */
const LISTEN_CODES: Record<string, SocketErrorCode> = {
  ...CODES,
  EACCES: "permission_denied",
  EADDRINUSE: "address_in_use",
  EADDRNOTAVAIL: "address_unavailable",
  EAFNOSUPPORT: "address_unavailable",
  ENAMETOOLONG: "address_unavailable",
  ENOTFOUND: "address_unavailable",
  EPERM: "permission_denied",
};

function failure(
  message: string,
  options: { cause?: unknown; codes?: Record<string, SocketErrorCode>; other?: SocketErrorCode },
): SocketError {
  const { cause, codes = CODES, other = "proxy_internal_error" } = options;
  const { code = "", message: detail } = (cause ?? {}) as { code?: string; message?: string };
  const error = new Error(detail ? `${message}: ${detail}` : message, { cause });
  return Object.assign(error, { name: "SocketError", code: codes[code] ?? other });
}

function show(address: Address): string {
  if ("path" in address) return `"${address.path}"`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `"${host}:${address.port}"`;
}
