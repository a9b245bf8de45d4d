/**
 * The runtime contract on Deno's own sockets.
 *
 * @module
 */

import process from "node:process";
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
} from "../src/runtime/contract.ts";
import { show } from "./addresses.ts";
import { type DenoAddress, type DenoConn, fromDeno, SocketStream } from "./deno_stream.ts";
import { askBoth, askResolver, NameLookup, openResolver } from "./name_lookup.ts";
import { openDatagrams } from "./datagrams.ts";
import { type Codes, socketError } from "./socket_errors.ts";
import { acceptTls, connectTls } from "./tls.ts";

// --- types ---

/** The part of Deno's listeners that is used here. */
export interface DenoListener {
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
  /** Whether NO_COLOR is set. */
  readonly noColor: boolean;
  readonly permissions: {
    querySync(descriptor: {
      name: string;
      variable?: string;
      kind?: string;
      path?: string | URL;
    }): { readonly state: string };
  };
  /** Exists only with --unstable-net. */
  readonly listenDatagram?: unknown;
  readonly env: { get(name: string): string | undefined; toObject(): Record<string, string> };
  readonly build: { readonly os: string; readonly standalone: boolean };
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

/** Deno would resolve what does not match, such as `127.1` and `0x7f.0.0.1`. */
const IP_ADDRESS = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$|:/;

/** What a service needs: the network, files, variables, and the addresses of this machine. */
const PERMISSIONS = ["-N", "-R", "-W", "-E", "-S=networkInterfaces"];

class DenoRuntime implements Runtime {
  readonly name = "deno";
  readonly openDatagrams = openDatagrams;
  readonly acceptTls = acceptTls;
  readonly connectTls = connectTls;
  #deno: DenoGlobal;

  constructor(deno: DenoGlobal) {
    this.#deno = deno;
    // Deno opens its signal pipe late, and panics if no descriptor is left by then (ext/signals/lib.rs). Adding a
    // listener opens the pipe now. SIGURG does nothing by default, so ignoring it changes nothing.
    if (deno.build.os !== "windows") deno.addSignalListener("SIGURG", ignore);
  }

  // deno-lint-ignore require-await
  async listen({ address, shared }: ListenOptions): Promise<Listener> {
    const reusePort = shared && "host" in address;
    try {
      return new SocketListener(this.#deno.listen({ ...toDeno(address), ...reusePort && { reusePort } }));
    } catch (cause) {
      throw failure(`Cannot listen on ${show(address)}`, { cause, codes: CODES.listen });
    }
  }

  sharing(): Sharing {
    // Trying to share without the flag would end the process, so this looks for another API that comes with the flag.
    if (this.#deno.listenDatagram === undefined) {
      throw new Error("Deno shares ports with --unstable-net alone");
    }
    if (this.#deno.build.os !== "linux") throw new Error("Only Linux spreads clients among Deno's listeners");
    // A thread reads its modules anew, and asking for a permission that is missing would prompt.
    const modules = new URL("..", import.meta.url);
    const { state } = this.#deno.permissions.querySync({ name: "read", path: modules });
    if (modules.protocol === "file:" && state !== "granted") {
      throw new Error("Deno starts threads only where it may read their modules: run it with -R too");
    }
    return { workers: "threads", by: "kernel" };
  }

  async dial(to: Address, { signal, local }: DialOptions = {}): Promise<ByteStream> {
    signal?.throwIfAborted();
    if ("host" in to && !IP_ADDRESS.test(to.host)) {
      throw failure(`Cannot dial ${show(to)}`, { cause: NOT_AN_ADDRESS, codes: CODES.dial });
    }
    if (local !== undefined) return await this.#dialFrom(local, to, signal);
    try {
      const conn = await this.#deno.connect({ ...toDeno(to), signal });
      if (!signal?.aborted) return new SocketStream(conn);
      conn.close();
    } catch (cause) {
      if (!signal?.aborted) throw failure(`Cannot dial ${show(to)}`, { cause, codes: CODES.dial });
    }
    throw signal.reason;
  }

  /**
   * Deno.connect() cannot be told where from, and node:net can. It takes another address if that one is not ours, so this
   * asks before.
   */
  async #dialFrom(local: string, to: Address, signal?: AbortSignal): Promise<ByteStream> {
    try {
      this.#deno.listen(toDeno({ host: local, port: 0 })).close();
    } catch (cause) {
      throw failure(`Cannot dial ${show(to)} from ${local}`, { cause, codes: CODES.dial });
    }
    const { dialSocket } = await import("./node.ts");
    return await dialSocket(to, { signal, local });
  }

  resolve(host: string, options?: ResolveOptions): Promise<Resolution> {
    return NAMES.resolve(host, options);
  }

  ownAddresses(): string[] {
    // As with environment variables: asking for a permission that is missing would prompt.
    const { state } = this.#deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
    if (state !== "granted") return [];
    return this.#deno.networkInterfaces().map(({ address }) => address.replace(/%.*$/, ""));
  }

  descriptorLimit(): number | undefined {
    // Reading without the permission would ask the person at the terminal. With the permission, a file in /proc is
    // still refused unless every permission was given, but nobody is asked.
    if (this.#deno.permissions.querySync({ name: "read" }).state !== "granted") return undefined;
    try {
      const limit = /^Max open files +(\d+)/m.exec(this.#deno.readTextFileSync("/proc/self/limits"));
      return limit === null ? undefined : Number(limit[1]);
    } catch {
      return undefined;
    }
  }

  environment(name: string): string | undefined {
    if (this.#mayRead(name)) return this.#deno.env.get(name);
    // Deno tells of this variable without a permission.
    return name === "NO_COLOR" && this.#deno.noColor ? "1" : undefined;
  }

  environmentNames(): string[] {
    return this.#mayRead() ? Object.keys(this.#deno.env.toObject()) : [];
  }

  environmentDenied(name: string): string | undefined {
    return this.#mayRead(name) ? undefined : "Deno needs -E for them";
  }

  command(): readonly string[] {
    const [executable, program] = process.argv;
    return this.#deno.build.standalone ? [executable] : [executable, "run", ...PERMISSIONS, program];
  }

  /**
   * Whether a variable (or every variable) can be read. Without the permission, reading would ask the person at the
   * terminal.
   */
  #mayRead(variable?: string): boolean {
    return this.#deno.permissions.querySync({ name: "env", variable }).state === "granted";
  }
}

/**
 * The errors of accept(2) that would come again at once: the process or the machine has run out of something. Every
 * other error is about one client that has left, which Deno has taken off the queue. A client that was reset before it
 * was accepted is ENOTCONN here.
 */
const EXHAUSTED = /^(?:EMFILE|ENFILE|ENOBUFS|ENOMEM)$/;

/** How long a listener waits if there are no descriptors left, in milliseconds. */
const EXHAUSTION_PAUSE = 50;

/** A listener of Deno. `pause` waits for descriptors; tests count its calls. */
export class SocketListener implements Listener {
  readonly address: Address;
  readonly #listener: DenoListener;
  readonly #pause: () => Promise<void>;
  #accepting: Promise<DenoConn> | undefined;
  #closed = false;

  /** Takes the listener over. */
  constructor(listener: DenoListener, pause: () => Promise<void> = pauseForDescriptors) {
    this.#listener = listener;
    this.#pause = pause;
    this.address = fromDeno(listener.addr);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ByteStream> {
    while (!this.#closed) {
      let conn: DenoConn;
      try {
        this.#accepting = this.#listener.accept();
        conn = await this.#accepting;
      } catch (error) {
        if (!this.#closed && EXHAUSTED.test((error as { code?: string }).code ?? "")) await this.#pause();
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

function pauseForDescriptors(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, EXHAUSTION_PAUSE));
}

function toDeno(address: Address): DenoAddress {
  if ("path" in address) return { transport: "unix", path: address.path };
  return { transport: "tcp", hostname: address.host, port: address.port };
}

function ignore(): void {}

/** The TTL that Deno's resolver gives to entries of the hosts file. */
const LISTED_TTL = 86_400;

/**
 * Deno reads the hosts file and the search domains itself. With more than 32 blocked threads, Deno writes no file.
 *
 * Deno's resolver does not ask the system's servers for names like `-lead.example`, and `getaddrinfo` of glibc rejects
 * them. Such a name can be resolved only with `--dns`.
 */
const NAMES = new NameLookup({
  query: (host, over) => {
    const resolver = openResolver(over);
    return askBoth((family) => askResolver(resolver, { host, family }), LISTED_TTL);
  },
  blocking: 16,
});

// --- errors ---

/** Our code for each system or Deno name of an error; `other` is the code for the rest. */
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
} satisfies Record<string, Codes>;

/** The cause of the error if somebody dials a name. */
const NOT_AN_ADDRESS = { name: "NotAnAddress", message: "resolve the name first" };

function failure(problem: string, { cause, codes }: { cause: unknown; codes: Codes }): SocketError {
  const { name, code = name, message } = cause as Error & { code?: string };
  const permissions = problem.includes("unix:") ? "Deno needs -R -W beside -N" : "Deno needs -N";
  const why = name === "NotCapable" ? permissions : message;
  return socketError(problem, { code: codes[code] ?? codes.other, cause, why });
}
