/**
 * The adapter for Node 20 and later: sockets of `node:net` as byte streams.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, isIP, Socket } from "node:net";
import process from "node:process";
import { setImmediate } from "node:timers";
import type { PortReceiver } from "../src/direct_port.ts";
import type {
  Address,
  ByteStream,
  DialOptions,
  Listener,
  ListenOptions,
  Resolution,
  ResolveOptions,
  Runtime,
  Sharing,
  SocketError,
  SocketErrorCode,
  TcpAddress,
  UnixAddress,
} from "../src/runtime.ts";
import { PortStream } from "./port_stream.ts";
import { NameLookup } from "./name_lookup.ts";
import { ownAddresses } from "./own_addresses.ts";
import { querySystem } from "./system_names.ts";
import { openDatagrams } from "./datagrams.ts";
import { acceptTls, connectTls } from "./tls.ts";

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
  return {
    name: "node",
    listen,
    sharing,
    dial,
    resolve,
    openDatagrams,
    acceptTls,
    connectTls,
    ownAddresses,
    descriptorLimit,
    environment,
  };
}

const [MAJOR, MINOR] = process.versions.node.split(".").map(Number);

/** Whether the kernel spreads clients among sockets of one port, and Node can ask it to: 22.12, 23.1 and later. */
const REUSE_PORT = process.platform === "linux" && MAJOR + MINOR / 100 >= (MAJOR === 22 ? 22.12 : 23.01);

function sharing(): Sharing {
  return { workers: "processes", by: REUSE_PORT ? "kernel" : "primary" };
}

async function listen({ address, shared = false }: ListenOptions): Promise<Listener> {
  const queue: SocketStream[] = [];
  let closed = false;
  let wake = (): void => {};
  const server = createServer();
  // A socket that was accepted cannot be given `onread`, and without that Node reads ahead and allocates
  // 64 KiB for each read. So its handle is taken before Node makes a Socket of it.
  const accept = (status: number, handle: unknown): void => {
    // Out of descriptors, libuv closes the clients that wait; it needs no help to go on.
    if (status !== 0 || handle === undefined) return;
    const stream = new SocketStream({ handle, pauseOnCreate: true });
    if ("path" in address) stream.local = address;
    else if (!stream.locate()) return;
    queue.push(stream);
    wake();
  };
  try {
    // In a process that node:cluster has forked, a port without `reusePort` is shared by the primary process.
    const how = shared && REUSE_PORT && { reusePort: true };
    if ("path" in address) server.listen({ path: unixPath(address) });
    else server.listen({ host: address.host, port: address.port, ...how });
    await once(server, "listening");
    (server as unknown as { _handle: { onconnection: typeof accept } })._handle.onconnection = accept;
  } catch (cause) {
    throw failure(`Cannot listen on ${show(address)}`, { cause, codes: LISTEN_CODES });
  }
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
    await connected(stream.socket, signal);
    signal?.throwIfAborted();
    if ("port" in to && !stream.locate()) throw Object.assign(new Error("Reset"), { code: "ECONNRESET" });
    return stream;
  } catch (cause) {
    stream.socket.destroy();
    throw signal?.aborted ? signal.reason : failure(`Cannot dial ${show(to)}`, { cause });
  }
}

/** Settles when a socket is connected, has failed, or is given up. */
function connected(socket: Socket, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abandon = () => reject(signal!.reason);
    socket.once("error", reject);
    socket.once("connect", () => {
      signal?.removeEventListener("abort", abandon);
      socket.off("error", reject);
      resolve();
    });
    signal?.addEventListener("abort", abandon);
  });
}

const names = new NameLookup({ query: querySystem, blocking: 2 });

async function resolve(host: string, options: ResolveOptions = {}): Promise<Resolution> {
  try {
    return await names.resolve(host, options);
  } catch (cause) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw failure(`Cannot resolve "${host}"`, { cause, codes: RESOLVE_CODES, other: "dns_error" });
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

const NOTHING = new Uint8Array(0);

/** Bytes that are read at once. */
const READ_SIZE = 256 * 1024;

/** Bytes after which a socket lets the others have their turn. */
const TURN = 1024 * 1024;

/** A read of so many bytes gets a socket a buffer of its own; one of fewer than `LITTLE` takes it away. */
const MUCH = 32 * 1024;
const LITTLE = 8 * 1024;

/**
 * Where sockets are read into that have little to say: Node fixes the buffer of a read when the one before it is done,
 * and one for each socket would cost memory while they idle. Any of them may be read at any time, so that nothing may
 * keep what is in it: what is written is a copy.
 */
const SHARED = new Uint8Array(READ_SIZE);

/** Buffers of sockets that had much to say. A write that the kernel does not take at once keeps such a one. */
const SPARE: Uint8Array<ArrayBuffer>[] = [];
const MOST_SPARE = 16;

/** The socket whose buffer is in other hands. */
let delivering: SocketStream | undefined;

/** Sockets that nobody waited for when they had something. */
const RESTLESS: SocketStream[] = [];

class SocketStream extends PortStream {
  readonly socket: Socket;
  local: Address = { path: "" };
  remote: Address = { path: "" };
  /** Whoever waits for a read. */
  #receiver: PortReceiver | undefined;
  #paused = true;
  /** Bytes since its turn began. */
  #turn = 0;
  /** Where the read under way goes. */
  #buffer: Uint8Array<ArrayBuffer> = SHARED;
  /** Received before it was wanted. */
  #unread: Uint8Array<ArrayBuffer> | undefined;
  #finReceived = false;
  #pending: Pending | undefined;
  #over = false;
  #cause: Error | undefined;

  constructor(adoption?: AdoptionOptions) {
    super();
    const onread = { buffer: () => this.#buffer, callback: (length: number) => this.#receive(length) };
    const options = { allowHalfOpen: true, ...adoption ?? TCP_OPTIONS, onread };
    this.socket = new Socket(options);
    // Node heeds those options where it connects, not where it adopts.
    if (adoption) this.socket.setNoDelay(true).setKeepAlive(true, TCP_OPTIONS.keepAliveInitialDelay);
    this.socket.on("end", () => this.#end());
    this.socket.on("error", (cause) => this.#fail(cause));
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
    if (this.#over) return receiver.fail(this.#failure());
    const unread = this.#unread;
    this.#unread = undefined;
    if (unread !== undefined && !receiver.receive(unread)) return;
    // Node may have destroyed the socket by now, of which both halves have ended.
    if (this.#finReceived) return receiver.end();
    this.#receiver = receiver;
    this.#resume();
  }

  /** Takes what is in the buffer; false makes Node stop reading. */
  #receive(length: number): boolean {
    const receiver = this.#receiver;
    const bytes = this.#buffer.subarray(0, length);
    if (receiver === undefined) {
      this.#unread = bytes.slice();
      this.#paused = true;
      this.socket.pause();
      return false;
    }
    this.#receiver = undefined;
    delivering = this;
    const wanted = receiver.receive(bytes);
    delivering = undefined;
    if (wanted) this.#goOn(receiver, length);
    // Whether the reader goes on is known only after the microtasks; Node reads again later still.
    else if (RESTLESS.push(this) === 1) setImmediate(settle);
    if (length >= MUCH && this.#buffer === SHARED) this.#buffer = SPARE.pop() ?? new Uint8Array(READ_SIZE);
    else if (length < LITTLE && this.#buffer !== SHARED) spare(this.#giveUp());
    return true;
  }

  /** Waits for more, though not before the others have had their turn: libuv reads up to 32 times at once. */
  #goOn(receiver: PortReceiver, length: number): void {
    this.#receiver = receiver;
    this.#turn += length;
    if (this.#turn < TURN) return;
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

  /** Its own buffer, for somebody to keep; the next read goes to the shared one. */
  #giveUp(): Uint8Array<ArrayBuffer> {
    const own = this.#buffer;
    this.#buffer = SHARED;
    return own;
  }

  /** Stops reading when nobody waits. */
  settle(): void {
    if (this.#receiver !== undefined || this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #end(): void {
    if (this.socket.destroyed) return;
    this.#finReceived = true;
    if (this.#buffer !== SHARED) spare(this.#giveUp());
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end();
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over) return Promise.reject(this.#failure());
    this.socket.write(bytes.buffer === SHARED.buffer ? Buffer.from(bytes) : bytes);
    // The kernel has taken it all already: Node would say so only in the next tick.
    if (this.socket.writableLength === 0 && this.socket.errored === null) return undefined;
    const isLent = delivering !== undefined && bytes.buffer === delivering.#buffer.buffer &&
      bytes.buffer !== SHARED.buffer;
    const kept = isLent ? delivering!.#giveUp() : undefined;
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      // The callback of this one comes when the one before it is done.
      this.socket.write(NOTHING, (error) => {
        if (kept !== undefined) spare(kept);
        if (!error) this.#resolve();
      });
    });
  }

  close(): Promise<void> | undefined {
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
    if (this.#over) return;
    // libuv cannot reset while the FIN is on its way.
    if (reset && "port" in this.remote && !this.socket.writableEnded) this.socket.resetAndDestroy();
    else this.socket.destroy();
    this.#fail();
  }

  #fail(cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#cause = cause;
    this.#unread = undefined;
    this.#pending?.reject(this.#failure());
    this.#pending = undefined;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.fail(this.#failure());
  }

  /** Made for whoever asks, which at most ends is nobody. */
  #failure(): SocketError {
    const cause = this.#cause;
    if (cause !== undefined) return failure(`The connection with ${show(this.remote)} failed`, { cause });
    return failure("The connection was destroyed on this side", { other: "connection_terminated" });
  }
}

function spare(buffer: Uint8Array<ArrayBuffer>): void {
  if (SPARE.length < MOST_SPARE) SPARE.push(buffer);
}

function settle(): void {
  for (const stream of RESTLESS.splice(0)) stream.settle();
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

/** What name servers' silence means; the rest is `dns_error`. */
const RESOLVE_CODES: Record<string, SocketErrorCode> = { ETIMEOUT: "dns_timeout" };

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
