/**
 * The adapter for Bun 1.4.5 and later: the sockets of `Bun.listen`, and those behind `node:net`, as byte streams.
 *
 * What Bun does, measured on 1.4.5, and what follows from it here:
 *
 * - It pushes: a `data` event brings a fresh copy of what one recv(2) gave, up to 512 KiB. What a smaller read
 *   leaves over is kept for the next one, and that is all that is ever kept; Bun cannot be asked for less.
 * - `pause()` acts at once, even on data that the same poll has yet to bring. A paused socket reports no FIN:
 *   it stays in the kernel, behind the unread bytes, until `resume()`. It does report a reset, and may bring
 *   one more chunk with it.
 * - `pause()` and `resume()` each cost two system calls and a `drain` event that means nothing.
 * - The peer's FIN is an `end` event while our half is open and a mere `close` event afterwards. Bun closes
 *   the descriptor when both halves have ended. A reset is a `close` event with an error.
 * - `terminate()` sends RST. `close()` is close(2): what was written goes out, and a FIN.
 *
 * @module
 */

import process from "node:process";
import { readFileSync } from "node:fs";
import { isIP, isIPv6, Socket } from "node:net";
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
} from "../src/runtime.ts";
import { PortStream } from "./port_stream.ts";
import { askBoth, type FoundAddress, NameLookup } from "./name_lookup.ts";
import { ownAddresses } from "./own_addresses.ts";
import { listedAddresses } from "./system_names.ts";
import { openDatagrams } from "./datagrams.ts";
import { acceptTls, connectTls } from "./tls.ts";

// --- types ---

interface BunSocket {
  data: SocketStream;
  readonly fd: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Undefined when the peer has gone before the socket was accepted. */
  readonly remoteAddress?: string;
  readonly remotePort: number;
  /** Answers how many bytes the kernel took; -1 after an error or on a closed socket. */
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

interface BunListener {
  getsockname(out: { address: string; port: number }): void;
  stop(): void;
}

interface BunGlobal {
  readonly dns: {
    lookup(host: string, options: { backend: "c-ares"; family: 4 | 6 }): Promise<readonly FoundAddress[]>;
  };
  listen(options: object): BunListener;
  udpSocket(options: object): Promise<{ close(): void }>;
}

/** What the kernel has not taken yet, and the write() that waits for it. */
interface PendingWrite {
  readonly chunk: Uint8Array;
  offset: number;
  resolve(): void;
  reject(error: SocketError): void;
}

// --- adapter ---

/** The unnamed end of a Unix socket. */
const UNNAMED = { path: "" };

/** Milliseconds of silence before the first keep-alive probe. */
const KEEP_ALIVE_DELAY = 15_000;

/**
 * How many descriptors accepted sockets leave free; dialed ones leave half of them. Without a free one Bun
 * spins on accept(2) and tells nobody (oven-sh/bun#32705), so clients beyond are closed at once, as libuv does.
 */
const RESERVED_DESCRIPTORS = 16;

/**
 * The adapter for Bun.
 *
 * @throws {Error} in another runtime.
 */
export function createRuntime(): Runtime {
  const bun = (globalThis as { Bun?: BunGlobal }).Bun;
  if (bun === undefined) throw new Error('This is not Bun: use "adapters/deno.ts" or "adapters/node.ts"');
  return new BunRuntime(bun);
}

class BunRuntime implements Runtime {
  readonly name = "bun";
  readonly openDatagrams = openDatagrams;
  readonly acceptTls = acceptTls;
  readonly connectTls = connectTls;
  readonly #bun: BunGlobal;
  /** Where the reserve begins: the kernel always hands out the lowest free descriptor. */
  readonly #reserve = (this.descriptorLimit() ?? Infinity) - RESERVED_DESCRIPTORS;

  readonly #names: NameLookup;

  constructor(bun: BunGlobal) {
    this.#bun = bun;
    // c-ares knows the search domains. The hosts file it reads for each family apart: a name with an IPv4 address there
    // would get an IPv6 one from a name server. Bun has two threads at least, and writes files with them.
    const query = async (host: string): Promise<Resolution> => {
      const addresses = listedAddresses(host);
      if (addresses.length > 0) return { addresses };
      return await askBoth((family) => bun.dns.lookup(host, { backend: "c-ares", family }));
    };
    this.#names = new NameLookup({ query, blocking: 1 });
  }

  async listen({ address, shared = false }: ListenOptions): Promise<Listener> {
    const accepted: SocketStream[] = [];
    let arrival = deferred<void>();
    let closed = false;
    function wake(): void {
      arrival.resolve();
      arrival = deferred();
    }
    const accept = (socket: BunSocket): void => {
      const stream = new SocketStream(socket, "path" in address ? { local: address, remote: UNNAMED } : {});
      const gone = "host" in address && socket.remoteAddress === undefined;
      if (gone || socket.fd >= this.#reserve) return stream.destroy();
      accepted.push(stream);
      wake();
    };
    const listener = await this.#listen(address, { shared, open: accept });
    const bound = { address: "", port: 0 };
    listener.getsockname(bound);
    return {
      address: "path" in address ? address : tcpAddress(bound.address, bound.port),
      close(): Promise<void> {
        closed = true;
        listener.stop();
        for (const stream of accepted.splice(0)) stream.destroy();
        wake();
        return Promise.resolve();
      },
      async *[Symbol.asyncIterator](): AsyncGenerator<ByteStream> {
        while (!closed) {
          const stream = accepted.shift();
          if (stream !== undefined) yield stream;
          else await arrival.promise;
        }
      },
    };
  }

  sharing(): Sharing {
    if (process.platform !== "linux") throw new Error("Only Linux spreads clients among Bun's listeners");
    return { workers: "processes", by: "kernel" };
  }

  async #listen(
    address: Address,
    { shared, open }: { shared: boolean; open: (socket: BunSocket) => void },
  ): Promise<BunListener> {
    try {
      const at = "path" in address
        ? { unix: address.path }
        : { hostname: address.host, port: address.port, reusePort: shared };
      return this.#bun.listen({ ...at, allowHalfOpen: true, socket: { ...SocketStream.handlers, open } });
    } catch (error) {
      const cause = "code" in (error as Error) ? error : await this.#probe() ?? error;
      throw failure(`Cannot listen on ${show(address)}`, {
        cause,
        codes: LISTEN_CODES,
        other: "address_unavailable",
      });
    }
  }

  /**
   * `Bun.connect` cannot be abandoned: its descriptor stays until the kernel gives up, two minutes later.
   * A `node:net` socket can, and behind it is a socket like those of `Bun.listen`, which is taken over.
   */
  async dial(to: Address, { signal }: DialOptions = {}): Promise<ByteStream> {
    signal?.throwIfAborted();
    if ("host" in to && isIP(to.host) === 0) {
      throw failure(`Cannot dial the name ${show(to)}: resolve it first`, { other: "proxy_internal_error" });
    }
    const dialer = new Socket({ allowHalfOpen: true });
    try {
      await connected(
        dialer.connect("path" in to ? { path: to.path } : { host: to.host, port: to.port }),
        signal,
      );
      signal?.throwIfAborted();
    } catch (error) {
      dialer.on("error", () => {}).destroy();
      if (signal?.aborted) throw signal.reason;
      const cause = (await this.#probe("host" in to ? to.host : undefined)) ?? error;
      throw failure(`Cannot dial ${show(to)}`, { cause, other: "destination_unavailable" });
    }
    const owner = dialer as unknown as { _handle: BunSocket | null };
    const socket = owner._handle;
    if (typeof socket?.reload !== "function") {
      dialer.destroy();
      throw failure("This version of Bun is not supported: use 1.4.5", { other: "proxy_internal_error" });
    }
    owner._handle = null;
    // Otherwise the dialer would stay in memory as long as its socket.
    for (const toOwner of Object.getOwnPropertySymbols(socket)) {
      Object.assign(socket, { [toOwner]: undefined });
    }
    const stream = new SocketStream(socket, "path" in to ? { local: UNNAMED, remote: to } : {});
    socket.reload({ socket: SocketStream.handlers });
    if (socket.fd < this.#reserve + RESERVED_DESCRIPTORS / 2) return stream;
    stream.destroy();
    throw failure(`Cannot dial ${show(to)}: no descriptors left`, { other: "connection_limit_reached" });
  }

  async resolve(host: string, options: ResolveOptions = {}): Promise<Resolution> {
    try {
      return await this.#names.resolve(host, options);
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw failure(`Cannot resolve "${host}"`, { cause, codes: RESOLVE_CODES, other: "dns_error" });
    }
  }

  readonly ownAddresses = ownAddresses;

  descriptorLimit(): number | undefined {
    try {
      const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"));
      return limit === null ? undefined : Number(limit[1]);
    } catch {
      return undefined;
    }
  }

  environment(name: string): string | undefined {
    return process.env[name];
  }

  /**
   * The error that Bun hides: unreachable networks and a lack of descriptors are ECONNREFUSED to it, or no
   * code at all. Connecting a UDP socket meets the same error and sends nothing.
   */
  async #probe(ip = "127.0.0.1"): Promise<unknown> {
    try {
      const connect = { hostname: ip, port: 9 };
      (await this.#bun.udpSocket({ hostname: isIPv6(ip) ? "::" : "0.0.0.0", connect })).close();
    } catch (error) {
      return error;
    }
  }
}

/** Settles when a socket is connected, has failed, or is given up. */
function connected(dialer: Socket, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abandon = () => reject(signal!.reason);
    dialer.on("error", reject);
    dialer.on("connect", () => {
      signal?.removeEventListener("abort", abandon);
      resolve();
    });
    signal?.addEventListener("abort", abandon);
  });
}

// --- streams ---

/** Bytes after which a socket lets the others have their turn. */
const TURN = 1024 * 1024;

/** Sockets that are new, or had something that nobody waited for. */
const RESTLESS: SocketStream[] = [];

class SocketStream extends PortStream {
  /** The same for every socket, whose state is in `socket.data`. */
  static readonly handlers = {
    binaryType: "uint8array",
    data: (socket: BunSocket, chunk: Uint8Array<ArrayBuffer>) => socket.data.#receive(chunk),
    drain: (socket: BunSocket) => socket.data.#drain(),
    end: (socket: BunSocket) => socket.data.#end(),
    close: (socket: BunSocket, error?: Error) => socket.data.#closed(error),
    error: (socket: BunSocket, { message }: Error) => socket.data.destroy({ reset: true, why: message }),
  };

  readonly local: Address;
  readonly remote: Address;
  readonly #socket: BunSocket;
  #paused = false;
  /** Bytes since its turn began. */
  #turn = 0;
  /** Whoever waits for a read. */
  #receiver: PortReceiver | undefined;
  /** Received before it was wanted. */
  #unread: Uint8Array<ArrayBuffer>[] | undefined;
  #finReceived = false;
  #finSent = false;
  #pending: PendingWrite | undefined;
  /** Why it is over. */
  #why: string | undefined;
  #cause: Error | undefined;

  /** Takes over a socket that reads. Only a TCP socket knows its addresses. */
  constructor(socket: BunSocket, { local, remote }: { local?: Address; remote?: Address }) {
    super();
    socket.data = this;
    this.#socket = socket;
    this.local = local ?? tcpAddress(socket.localAddress, socket.localPort);
    this.remote = remote ?? tcpAddress(socket.remoteAddress ?? "", socket.remotePort);
    if ("host" in this.local) {
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
    }
    this.#pauseSoon();
  }

  pull(receiver: PortReceiver): void {
    if (this.#why !== undefined) return receiver.fail(terminated(this.#why, this.#cause));
    while (this.#unread !== undefined) {
      const chunk = this.#unread.shift()!;
      if (this.#unread.length === 0) this.#unread = undefined;
      if (!receiver.receive(chunk)) return;
    }
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
    const receiver = this.#receiver;
    if (receiver === undefined) {
      (this.#unread ??= []).push(chunk);
      return this.#pauseUnlessWanted();
    }
    this.#receiver = undefined;
    if (receiver.receive(chunk)) this.#goOn(receiver, chunk.byteLength);
    // Whether the reader goes on is known only after the microtasks; Bun polls later still.
    else this.#pauseSoon();
  }

  /** Waits for more, though not before the others have had their turn: Bun reads several times at once. */
  #goOn(receiver: PortReceiver, length: number): void {
    this.#receiver = receiver;
    this.#turn += length;
    if (this.#turn < TURN || this.#why !== undefined) return;
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
    this.#finReceived = true;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.end();
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#why !== undefined) return Promise.reject(terminated(this.#why, this.#cause));
    const taken = this.#socket.write(bytes);
    if (taken === bytes.byteLength) return undefined;
    return new Promise((resolve, reject) => {
      this.#pending = { chunk: bytes, offset: 0, resolve, reject };
      this.#advance(taken);
    });
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
      // A reset that a write has met is not reported again.
      this.destroy({ reset: true, why: "The connection was reset" });
    } else if (pending.offset === pending.chunk.byteLength) {
      this.#pending = undefined;
      pending.resolve();
    }
  }

  close(): undefined {
    this.#finSent = true;
    // close(2) sends FIN as well.
    if (this.#finReceived) this.#socket.close();
    else this.#socket.shutdown();
  }

  destroy({ reset = false, why = "The connection was destroyed on this side" } = {}): void {
    if (this.#why !== undefined) return;
    this.#fail(why);
    if (reset) this.#socket.terminate();
    else this.#socket.close();
  }

  #closed(cause?: Error): void {
    if (this.#why !== undefined) return;
    if (cause !== undefined) return this.#fail("The connection was reset", cause);
    // The peer of a Unix socket can close both halves at once.
    if (!this.#finSent) this.#failWrites("The peer has closed the connection");
    this.#end();
  }

  /** Errors are made for whoever waits for one, which at most ends is nobody. */
  #fail(why: string, cause?: Error): void {
    this.#why = why;
    this.#cause = cause;
    this.#unread = undefined;
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

/** An address as the contract wants it: without a zone, and IPv4 clients of an IPv6 listener as IPv4. */
function tcpAddress(host: string, port: number): TcpAddress {
  return { host: host.replace(/^::ffff:(?=\d+\.)|%.*$/g, ""), port };
}

// --- errors ---

const DIAL_CODES: Record<string, SocketErrorCode> = {
  EADDRNOTAVAIL: "destination_ip_unroutable",
  EAFNOSUPPORT: "destination_ip_unroutable",
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "connection_terminated",
  EHOSTUNREACH: "destination_ip_unroutable",
  EMFILE: "connection_limit_reached",
  ENETUNREACH: "destination_ip_unroutable",
  ENFILE: "connection_limit_reached",
  EPERM: "destination_ip_unroutable",
  ETIMEDOUT: "connection_timeout",
};

/** What name servers' silence means; the rest is `dns_error`. */
const RESOLVE_CODES: Record<string, SocketErrorCode> = {
  DNS_ETIMEOUT: "dns_timeout",
  ETIMEOUT: "dns_timeout",
};

const LISTEN_CODES: Record<string, SocketErrorCode> = {
  EACCES: "permission_denied",
  EADDRINUSE: "address_in_use",
  EMFILE: "connection_limit_reached",
  ENFILE: "connection_limit_reached",
  EPERM: "permission_denied",
};

/** What is known of a failure: Bun's error, the table to look it up in, and the code when it is not there. */
interface FailureOptions {
  readonly cause?: unknown;
  readonly codes?: Record<string, SocketErrorCode>;
  readonly other: SocketErrorCode;
}

function failure(message: string, { cause, codes = DIAL_CODES, other }: FailureOptions): SocketError {
  const { code = "", message: why = "" } = (cause ?? {}) as { code?: string; message?: string };
  const error = new Error(why ? `${message}: ${why}` : message, { cause });
  return Object.assign(error, { name: "SocketError", code: codes[code] ?? other });
}

function terminated(message: string, cause?: Error): SocketError {
  return failure(message, { cause, codes: {}, other: "connection_terminated" });
}

function show(address: Address): string {
  if ("path" in address) return `"${address.path}"`;
  return isIPv6(address.host) ? `"[${address.host}]:${address.port}"` : `"${address.host}:${address.port}"`;
}

/** A promise that is settled from outside. `Promise.withResolvers` is not in every library that checks these types. */
function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((...settle) => [resolve, reject] = settle);
  return { promise, resolve, reject };
}
