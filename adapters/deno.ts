/**
 * The runtime contract on Deno's own sockets.
 *
 * What it cannot do: send a reset. `Deno.Conn` has no SO_LINGER and is shut down before it is closed, so
 * that `writable.abort()` sends FIN.
 *
 * @module
 */

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
} from "../src/runtime.ts";
import { PortStream } from "./port_stream.ts";
import { askBoth, askResolver, NameLookup, openResolver } from "./name_lookup.ts";
import { openDatagrams } from "./datagrams.ts";
import { acceptTls, connectTls } from "./tls.ts";

// --- types ---

interface DenoAddress {
  readonly transport: "tcp" | "unix";
  readonly hostname?: string;
  readonly port?: number;
  /** Null for the unnamed socket of a client. */
  readonly path?: string | null;
  readonly reusePort?: boolean;
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
  networkInterfaces(): { readonly address: string }[];
  readTextFileSync(path: string): string;
  readonly permissions: {
    querySync(descriptor: {
      name: string;
      variable?: string;
      kind?: string;
      path?: string | URL;
    }): { readonly state: string };
  };
  /** There with --unstable-net alone. */
  readonly listenDatagram?: unknown;
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
  readonly openDatagrams = openDatagrams;
  readonly acceptTls = acceptTls;
  readonly connectTls = connectTls;
  #deno: DenoGlobal;

  constructor(deno: DenoGlobal) {
    this.#deno = deno;
    // Deno opens its signal pipe late and panics when no descriptor is left by then (ext/signals/lib.rs).
    // A listener opens it now; SIGURG does nothing by default, so that nobody misses anything.
    if (deno.build.os !== "windows") deno.addSignalListener("SIGURG", ignore);
  }

  // deno-lint-ignore require-await
  async listen({ address, shared }: ListenOptions): Promise<Listener> {
    const reusePort = shared && "host" in address;
    try {
      return new SocketListener(this.#deno.listen({ ...toDeno(address), ...reusePort && { reusePort } }));
    } catch (cause) {
      throw socketError(`Cannot listen on ${show(address)}`, { cause, codes: CODES.listen });
    }
  }

  sharing(): Sharing {
    // Deno would end the process where the flag is missing, so its other doings tell.
    if (this.#deno.listenDatagram === undefined) {
      throw new Error("Deno shares ports with --unstable-net alone");
    }
    if (this.#deno.build.os !== "linux") throw new Error("Only Linux spreads clients among Deno's listeners");
    // A thread's modules are read anew, and asking without the permission would prompt.
    const modules = new URL("..", import.meta.url);
    const { state } = this.#deno.permissions.querySync({ name: "read", path: modules });
    if (modules.protocol === "file:" && state !== "granted") {
      throw new Error("Deno starts threads only where it may read their modules: run it with -R too");
    }
    return { workers: "threads", by: "kernel" };
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

  async resolve(host: string, options: ResolveOptions = {}): Promise<Resolution> {
    try {
      return await NAMES.resolve(host, options);
    } catch (cause) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw socketError(`Cannot resolve "${host}"`, { cause, codes: CODES.resolve });
    }
  }

  ownAddresses(): string[] {
    // As with environment variables: asking without the permission would prompt.
    const { state } = this.#deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
    if (state !== "granted") return [];
    return this.#deno.networkInterfaces().map(({ address }) => address.replace(/%.*$/, ""));
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

/** What Deno's resolver says of entries in the hosts file. */
const LISTED_TTL = 86_400;

/** Deno reads the hosts file and the search domains itself. Beyond 32 blocked threads no file is written. */
const NAMES = new NameLookup({
  query: (host, over) => {
    const resolver = openResolver(over);
    return askBoth((family) => askResolver(resolver, { host, family }), LISTED_TTL);
  },
  listedTtl: LISTED_TTL,
  blocking: 16,
  // `setServers()` looks up the servers that it replaces, for which Deno would want a permission (--allow-sys).
  prepare: (resolver) => {
    const { _handle: handle } = resolver as unknown as { _handle?: { getServers: () => string[] } };
    if (handle) handle.getServers = () => [];
  },
});

// --- streams ---

/**
 * Bytes after which a connection lets the others have their turn, where there are any: as long as something can be done
 * at once, Deno looks for what else has arrived only every now and then, 20 to 200 ms apart.
 */
const TURN = 2 * 1024 * 1024;

/** The connection that was read last. */
let reading: SocketStream | undefined;

/** Milliseconds between a failed accept and the next one. */
const ACCEPT_BACKOFF = 50;

class SocketStream extends PortStream {
  readonly local: Address;
  readonly remote: Address;
  readonly #conn: DenoConn;
  /** Whoever waits for the read under way. */
  #receiver: PortReceiver | undefined;
  /** Halves that have not ended; 0 once the descriptor is free. */
  #open = 2;
  #finReceived = false;
  /** Bytes since its turn began, and whether others were read meanwhile. */
  #turn = 0;
  #alone = true;
  /** Why it is gone. */
  #cause: unknown;

  constructor(conn: DenoConn) {
    super();
    this.#conn = conn;
    this.local = fromDeno(conn.localAddr);
    this.remote = fromDeno(conn.remoteAddr);
    try {
      conn.setNoDelay?.(true);
      conn.setKeepAlive?.(true);
    } catch {
      // The peer is gone already (EINVAL on macOS), as the first read will say.
    }
  }

  pull(receiver: PortReceiver): void {
    if (this.#cause !== undefined) return receiver.fail(this.#failure());
    if (this.#finReceived) return receiver.end();
    this.#receiver = receiver;
    if (this.#turn < TURN) return this.#read(receiver);
    this.#turn = 0;
    if (this.#alone) return this.#read(receiver);
    this.#alone = true;
    // An immediate would come before anything else is looked for.
    setTimeout(() => {
      if (this.#receiver === receiver) this.#read(receiver);
    });
  }

  #read(receiver: PortReceiver): void {
    const room = receiver.lend();
    this.#conn.read(room).then((count) => this.#received(room, count), (cause) => this.#destroy(cause));
  }

  #received(room: Uint8Array<ArrayBuffer>, count: number | null): void {
    const receiver = this.#receiver;
    // It was destroyed meanwhile.
    if (receiver === undefined) return;
    this.#receiver = undefined;
    if (count === null) {
      this.#finReceived = true;
      receiver.end(room);
      this.#endHalf();
      return;
    }
    this.#turn += count;
    if (reading !== this) this.#alone = reading === undefined;
    reading = this;
    if (receiver.receive(count === room.length ? room : room.subarray(0, count))) this.pull(receiver);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#cause !== undefined) return Promise.reject(this.#failure());
    return this.#conn.write(bytes).then(
      (sent) => sent < bytes.length ? this.#writeRest(bytes, sent) : undefined,
      (cause) => this.#broken(cause),
    );
  }

  async #writeRest(bytes: Uint8Array, sent: number): Promise<void> {
    try {
      while (sent < bytes.length) sent += await this.#conn.write(bytes.subarray(sent));
    } catch (cause) {
      this.#broken(cause);
    }
  }

  close(): Promise<void> | undefined {
    // close(2) sends FIN as well.
    if (this.#open === 1) return this.#endHalf();
    return this.#conn.closeWrite().then(() => this.#endHalf(), (cause) => this.#broken(cause));
  }

  #endHalf(): undefined {
    if (this.#open > 0 && --this.#open === 0) this.#conn.close();
  }

  destroy(): void {
    this.#destroy(DESTROYED);
  }

  #broken(cause: unknown): never {
    this.#destroy(cause);
    throw this.#failure();
  }

  /** Frees the descriptor, and fails whatever is under way; later reads and writes meet the failure. */
  #destroy(cause: unknown): void {
    this.#cause ??= cause;
    if (this.#open > 0) this.#conn.close();
    this.#open = 0;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.fail(this.#failure());
  }

  /** Made for whoever asks, which at most ends is nobody. */
  #failure(): SocketError {
    const message = `The connection with ${show(this.remote)} is gone`;
    return socketError(message, { cause: this.#cause ?? DESTROYED, codes: CODES.stream });
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
  resolve: { ETIMEOUT: "dns_timeout", other: "dns_error" },
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
