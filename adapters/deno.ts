/**
 * The runtime contract on Deno's own sockets.
 *
 * What it cannot do: send a reset. `Deno.Conn` has no SO_LINGER and is shut down before it is closed, so
 * that `writable.abort()` sends FIN.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
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
} from "../src/runtime.ts";

// --- types ---

interface DenoAddress {
  readonly transport: "tcp" | "unix";
  readonly hostname?: string;
  readonly port?: number;
  /** Null for the unnamed socket of a client. */
  readonly path?: string | null;
}

interface DenoConn {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  read(buffer: ArrayBufferView): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
  setKeepAlive?(on: boolean): void;
}

interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConn>;
  close(): void;
}

interface DenoGlobal {
  listen(options: DenoAddress): DenoListener;
  connect(options: DenoAddress & { signal?: AbortSignal }): Promise<DenoConn>;
  addSignalListener(signal: string, handler: () => void): void;
  readTextFileSync(path: string): string;
  readonly permissions: {
    querySync(descriptor: { name: string; variable?: string }): { readonly state: string };
  };
  readonly env: { get(name: string): string | undefined };
  readonly build: { readonly os: string };
}

// --- adapter ---

/**
 * Makes the adapter.
 *
 * @throws {Error} In another runtime.
 */
export function createRuntime(): Runtime {
  const deno = (globalThis as { Deno?: DenoGlobal }).Deno;
  if (deno?.permissions === undefined) throw new Error("This is not Deno: use the adapter of your runtime");
  return new DenoRuntime(deno);
}

/** What is not an IP address, such as `127.1` and `0x7f.0.0.1`, Deno would resolve. */
const IP_ADDRESS = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$|:/;

class DenoRuntime implements Runtime {
  readonly name = "deno";
  #deno: DenoGlobal;

  constructor(deno: DenoGlobal) {
    this.#deno = deno;
    // Deno opens its signal pipe late and panics when no descriptor is left by then (ext/signals/lib.rs).
    // A listener opens it now; SIGURG does nothing by default, so that nobody misses anything.
    if (deno.build.os !== "windows") deno.addSignalListener("SIGURG", ignore);
  }

  // deno-lint-ignore require-await
  async listen({ address }: ListenOptions): Promise<Listener> {
    try {
      return new SocketListener(this.#deno.listen(toDeno(address)));
    } catch (cause) {
      throw socketError(`Cannot listen on ${show(address)}`, { cause, codes: CODES.listen });
    }
  }

  async dial(to: Address, { signal }: DialOptions = {}): Promise<ByteStream> {
    signal?.throwIfAborted();
    if ("host" in to && !IP_ADDRESS.test(to.host)) {
      throw socketError(`Cannot dial ${show(to)}`, { cause: NOT_AN_ADDRESS, codes: CODES.dial });
    }
    try {
      const conn = await this.#deno.connect({ ...toDeno(to), signal });
      if (!signal?.aborted) return new SocketStream(conn);
      conn.close();
    } catch (cause) {
      if (!signal?.aborted) throw socketError(`Cannot dial ${show(to)}`, { cause, codes: CODES.dial });
    }
    throw signal.reason;
  }

  async resolve(host: string, { signal }: ResolveOptions = {}): Promise<string[]> {
    signal?.throwIfAborted();
    try {
      // This is getaddrinfo; Deno.resolveDns answers one record type and takes localhost for its own.
      const found = await settledOrAborted(lookup(host, { all: true, verbatim: true }), signal);
      if (found.length === 0) throw new Error("No address found");
      return [...new Set(found.map(({ address }) => address))];
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw socketError(`Cannot resolve "${host}"`, { cause, codes: CODES.resolve });
    }
  }

  descriptorLimit(): number | undefined {
    // Reading without the permission would ask the person at the terminal. With it, a file in /proc is still
    // refused (but nobody is asked) unless every permission was given.
    if (this.#deno.permissions.querySync({ name: "read" }).state !== "granted") return undefined;
    try {
      const limit = /^Max open files +(\d+)/m.exec(this.#deno.readTextFileSync("/proc/self/limits"));
      return limit === null ? undefined : Number(limit[1]);
    } catch {
      return undefined;
    }
  }
  environment(name: string): string | undefined {
    // Reading without the permission would ask the person at the terminal.
    const { state } = this.#deno.permissions.querySync({ name: "env", variable: name });
    return state === "granted" ? this.#deno.env.get(name) : undefined;
  }
}

class SocketListener implements Listener {
  readonly address: Address;
  #listener: DenoListener;
  #accepting: Promise<DenoConn> | undefined;
  #closed = false;

  constructor(listener: DenoListener) {
    this.#listener = listener;
    this.address = fromDeno(listener.addr);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ByteStream> {
    while (!this.#closed) {
      let conn: DenoConn;
      try {
        this.#accepting = this.#listener.accept();
        conn = await this.#accepting;
      } catch {
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_BACKOFF));
        continue;
      }
      yield new SocketStream(conn);
    }
  }

  async close(): Promise<void> {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
    // A pending accept holds the socket until it has failed.
    await this.#accepting?.catch(ignore);
  }
}

function toDeno(address: Address): DenoAddress {
  if ("path" in address) return { transport: "unix", path: address.path };
  return { transport: "tcp", hostname: address.host, port: address.port };
}

function fromDeno({ transport, hostname = "", port = 0, path }: DenoAddress): Address {
  return transport === "unix" ? { path: path ?? "" } : { host: hostname, port };
}

function ignore(): void {}

/** What `work` settles with, or a rejection as soon as the signal fires. */
function settledOrAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    function abort(): void {
      reject(signal!.reason);
    }
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

// --- streams ---

/** Milliseconds between a failed accept and the next one. */
const ACCEPT_BACKOFF = 50;

/** Bytes that are allocated for a read by someone who brings no buffer. */
const DEFAULT_READ_SIZE = 65536;

class SocketStream implements ByteStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  readonly local: Address;
  readonly remote: Address;
  #conn: DenoConn;
  #source!: ReadableByteStreamController;
  /** Halves that have not ended; 0 once the descriptor is free. */
  #open = 2;
  #failure: SocketError | undefined;

  constructor(conn: DenoConn) {
    this.#conn = conn;
    this.local = fromDeno(conn.localAddr);
    this.remote = fromDeno(conn.remoteAddr);
    try {
      conn.setNoDelay?.(true);
      conn.setKeepAlive?.(true);
    } catch {
      // The peer is gone already (EINVAL on macOS), as the first read will say.
    }
    this.readable = new ReadableStream({
      type: "bytes",
      autoAllocateChunkSize: DEFAULT_READ_SIZE,
      start: (controller) => void (this.#source = controller),
      pull: () => this.#read(),
      cancel: () => this.#destroy(DESTROYED),
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({
      // The sink's own abort() would be called only after the write in progress.
      start: ({ signal }) => signal.addEventListener("abort", () => this.#destroy(DESTROYED)),
      write: (chunk) => this.#write(chunk),
      close: () => this.#closeWrite(),
    });
  }

  async #read(): Promise<void> {
    const request = this.#source.byobRequest!;
    try {
      const count = await this.#conn.read(request.view!);
      if (count === null) {
        this.#source.close();
        request.respond(0);
        this.#endHalf();
      } else {
        request.respond(count);
      }
    } catch (cause) {
      // Also when the stream was destroyed meanwhile and takes no answer, which changes nothing.
      this.#destroy(cause);
    }
  }

  async #write(chunk: Uint8Array): Promise<void> {
    try {
      let sent = await this.#conn.write(chunk);
      while (sent < chunk.length) sent += await this.#conn.write(chunk.subarray(sent));
    } catch (cause) {
      this.#destroy(cause);
      throw this.#failure;
    }
  }

  async #closeWrite(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } catch (cause) {
      this.#destroy(cause);
      throw this.#failure;
    }
    this.#endHalf();
  }

  #endHalf(): void {
    if (this.#open > 0 && --this.#open === 0) this.#conn.close();
  }

  /** Frees the descriptor, and fails `readable` and the pending and the next write. */
  #destroy(cause: unknown): void {
    if (this.#open === 0) return;
    this.#open = 0;
    const message = `The connection with ${show(this.remote)} is gone`;
    this.#failure = socketError(message, { cause, codes: CODES.stream });
    this.#source.error(this.#failure);
    this.#conn.close();
  }
}

// --- errors ---

/** From the system's name of an error, or else Deno's, to ours; `other` is what the rest becomes. */
const CODES = {
  listen: {
    EADDRINUSE: "address_in_use",
    EACCES: "permission_denied",
    EPERM: "permission_denied",
    NotCapable: "permission_denied",
    EMFILE: "connection_limit_reached",
    ENFILE: "connection_limit_reached",
    other: "address_unavailable",
  },
  dial: {
    ECONNREFUSED: "connection_refused",
    ECONNRESET: "connection_terminated",
    ETIMEDOUT: "connection_timeout",
    EADDRNOTAVAIL: "destination_ip_unroutable",
    EAFNOSUPPORT: "destination_ip_unroutable",
    EHOSTUNREACH: "destination_ip_unroutable",
    EINVAL: "destination_ip_unroutable",
    ENETUNREACH: "destination_ip_unroutable",
    EMFILE: "connection_limit_reached",
    ENFILE: "connection_limit_reached",
    NotCapable: "proxy_internal_error",
    NotAnAddress: "proxy_internal_error",
    other: "destination_unavailable",
  },
  resolve: { other: "dns_error" },
  stream: { other: "connection_terminated" },
} satisfies Record<string, Codes>;

type Codes = Readonly<Record<string, SocketErrorCode>>;

/** The cause when somebody dials a name. */
const NOT_AN_ADDRESS = { name: "NotAnAddress", message: "resolve the name first" };

/** The cause when this side has ended a connection. */
const DESTROYED = { name: "Destroyed", message: "it was aborted or cancelled here" };

function socketError(
  problem: string,
  { cause, codes }: { cause: unknown; codes: Codes },
): SocketError {
  const { name, code = name, message } = cause as Error & { code?: string };
  const permissions = problem.includes("unix:") ? "Deno needs -R -W beside -N" : "Deno needs -N";
  const error = new Error(`${problem}: ${name === "NotCapable" ? permissions : message}`, { cause });
  return Object.assign(error, { code: codes[code] ?? codes.other });
}

function show(address: Address): string {
  if ("path" in address) return `"unix:${address.path}"`;
  return address.host.includes(":")
    ? `"[${address.host}]:${address.port}"`
    : `"${address.host}:${address.port}"`;
}
