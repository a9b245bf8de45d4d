/**
 * The adapter for Bun 1.4.5 and later: the sockets of `Bun.listen`, and those behind `node:net`, as byte streams.
 *
 * @module
 */

import process from "node:process";
import { readFileSync } from "node:fs";
import { isIP, isIPv6, Socket } from "node:net";
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
} from "../src/runtime/contract.ts";
import { Accepted } from "./accepted.ts";
import { show, tcpAddress, UNNAMED } from "./addresses.ts";
import { type BunSocket, SocketStream } from "./bun_stream.ts";
import type { FoundAddress } from "./dns_message.ts";
import { askBoth, NameLookup } from "./name_lookup.ts";
import { ownAddresses } from "./own_addresses.ts";
import { ownCommand } from "./own_command.ts";
import { listedAddresses } from "./system_names.ts";
import { openDatagrams } from "./datagrams.ts";
import { type Codes, socketError } from "./socket_errors.ts";
import { acceptTls, connectTls } from "./tls.ts";

// --- types ---

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

// --- adapter ---

/**
 * How many descriptors accepted sockets leave free; dialed ones leave half of them. When none is free, Bun spins on
 * accept(2) and tells nobody (oven-sh/bun#32705). So further clients are closed at once, as libuv does.
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
    // c-ares knows the search domains, but reads the hosts file for each family separately: a name with an IPv4 address
    // there would get an IPv6 one from a name server. Bun has at least two threads, and writes files with them.
    const query = async (host: string): Promise<Resolution> => {
      const addresses = listedAddresses(host);
      if (addresses.length > 0) return { addresses };
      return await askBoth((family) => bun.dns.lookup(host, { backend: "c-ares", family }));
    };
    this.#names = new NameLookup({ query, blocking: 1 });
  }

  async listen({ address, shared = false }: ListenOptions): Promise<Listener> {
    const accepted = new Accepted<SocketStream>();
    const accept = (socket: BunSocket): void => {
      const stream = new SocketStream(socket, "path" in address ? { local: address, remote: UNNAMED } : {});
      const gone = "host" in address && socket.remoteAddress === undefined;
      if (gone || socket.fd >= this.#reserve) return stream.destroy();
      accepted.add(stream);
    };
    const listener = await this.#listen(address, { shared, open: accept });
    const bound = { address: "", port: 0 };
    listener.getsockname(bound);
    return {
      address: "path" in address ? address : tcpAddress(bound.address, bound.port),
      close(): Promise<void> {
        listener.stop();
        for (const stream of accepted.close()) stream.destroy();
        return Promise.resolve();
      },
      [Symbol.asyncIterator]: () => accepted,
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
   * `Bun.connect` cannot be cancelled: its descriptor stays until the kernel gives up, two minutes later. A `node:net`
   * socket can. Behind it is a socket like those of `Bun.listen`, which this takes over.
   */
  async dial(to: Address, { signal, local }: DialOptions = {}): Promise<ByteStream> {
    signal?.throwIfAborted();
    if ("host" in to && isIP(to.host) === 0) {
      throw failure(`Cannot dial the name ${show(to)}: resolve it first`, { other: "proxy_internal_error" });
    }
    const dialer = new Socket({ allowHalfOpen: true });
    try {
      await connected(
        dialer.connect(
          "path" in to ? { path: to.path } : { host: to.host, port: to.port, localAddress: local },
        ),
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
    // These properties would keep the dialer in memory as long as its socket.
    for (const toOwner of Object.getOwnPropertySymbols(socket)) {
      Object.assign(socket, { [toOwner]: undefined });
    }
    const stream = new SocketStream(socket, "path" in to ? { local: UNNAMED, remote: to } : {});
    socket.reload({ socket: SocketStream.handlers });
    if (socket.fd < this.#reserve + RESERVED_DESCRIPTORS / 2) return stream;
    stream.destroy();
    throw failure(`Cannot dial ${show(to)}: no descriptors left`, { other: "connection_limit_reached" });
  }

  resolve(host: string, options?: ResolveOptions): Promise<Resolution> {
    return this.#names.resolve(host, options);
  }

  readonly ownAddresses = ownAddresses;
  readonly command = ownCommand;

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

  environmentNames(): string[] {
    return Object.keys(process.env);
  }

  /**
   * Finds the error that Bun hides: it reports unreachable networks and a lack of descriptors as ECONNREFUSED, or
   * without a code. Connecting a UDP socket meets the same error and sends nothing.
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

/** Resolves when a socket is connected. Rejects if it fails or the signal aborts. */
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

// --- errors ---

const DIAL_CODES: Codes = {
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

const LISTEN_CODES: Codes = {
  EACCES: "permission_denied",
  EADDRINUSE: "address_in_use",
  EMFILE: "connection_limit_reached",
  ENFILE: "connection_limit_reached",
  EPERM: "permission_denied",
};

/** How to describe a failure: Bun's error, the table that has its code, and the code if the table does not. */
interface FailureOptions {
  readonly cause?: unknown;
  readonly codes?: Codes;
  readonly other: SocketErrorCode;
}

function failure(problem: string, { cause, codes = DIAL_CODES, other }: FailureOptions): SocketError {
  const { code = "" } = (cause ?? {}) as { code?: string };
  return socketError(problem, { code: codes[code] ?? other, cause });
}
