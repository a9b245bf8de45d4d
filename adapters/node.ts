/**
 * The adapter for Node 20 and later: sockets of `node:net` as byte streams.
 *
 * @module
 */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, isIP, type Socket } from "node:net";
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
  SocketErrorCode,
  UnixAddress,
} from "../src/runtime/contract.ts";
import { Accepted } from "./accepted.ts";
import { show, tcpAddress } from "./addresses.ts";
import { NameLookup } from "./name_lookup.ts";
import { type Handle, HAS_HANDLES } from "./node_bindings.ts";
import { acceptedOn, connect, type HandleStream } from "./node_handle.ts";
import { SocketStream } from "./node_stream.ts";
import { ownAddresses } from "./own_addresses.ts";
import { ownCommand } from "./own_command.ts";
import { querySystem } from "./system_names.ts";
import { openDatagrams } from "./datagrams.ts";
import { type Codes, socketError } from "./socket_errors.ts";
import { acceptTls, connectTls } from "./tls.ts";

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
    command: ownCommand,
    descriptorLimit,
    environment,
    environmentNames,
  };
}

const [MAJOR, MINOR] = process.versions.node.split(".").map(Number);

/**
 * Whether the kernel spreads clients among several sockets on one port, and Node can ask for it (22.12, 23.1 and
 * later).
 */
const REUSE_PORT = process.platform === "linux" && MAJOR + MINOR / 100 >= (MAJOR === 22 ? 22.12 : 23.01);

function sharing(): Sharing {
  return { workers: "processes", by: REUSE_PORT ? "kernel" : "primary" };
}

async function listen({ address, shared = false }: ListenOptions): Promise<Listener> {
  const accepted = new Accepted<SocketStream | HandleStream>();
  const server = createServer();
  // An accepted socket cannot be given `onread`, and without it Node reads ahead and allocates 64 KiB for each read. So
  // this takes its handle before Node makes a Socket of it.
  const accept = (status: number, handle: unknown): void => {
    // When descriptors run out, libuv closes the waiting clients, and goes on by itself.
    if (status !== 0 || handle === undefined) return;
    const stream = "path" in address || !HAS_HANDLES
      ? adopted(handle, address)
      : acceptedOn(handle as Handle);
    if (stream) accepted.add(stream);
  };
  try {
    // In a process forked by node:cluster, the primary process shares a port that has no `reusePort`.
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
      server.close();
      for (const stream of accepted.close()) stream.destroy({ reset: false });
      return Promise.resolve();
    },
    [Symbol.asyncIterator]: () => accepted,
  };
}

/** A socket that takes over an accepted handle. Undefined if the connection is gone already. */
function adopted(handle: unknown, address: Address): SocketStream | undefined {
  const stream = new SocketStream({ handle, pauseOnCreate: true });
  if ("path" in address) stream.local = address;
  else if (!stream.locate()) return undefined;
  return stream;
}

function dial(to: Address, { signal, local }: DialOptions = {}): Promise<ByteStream> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  if (!HAS_HANDLES || local !== undefined || "path" in to || isIP(to.host) === 0) {
    return dialSocket(to, { signal, local });
  }
  return connect(to, { signal, failure: (cause) => failure(`Cannot dial ${show(to)}`, { cause }) });
}

/** Dials by a socket of `node:net`, which can be told where from. */
export async function dialSocket(to: Address, { signal, local }: DialOptions): Promise<ByteStream> {
  const stream = new SocketStream();
  try {
    // Without this, Node would read as soon as the socket is connected.
    stream.socket.pause();
    if ("path" in to) stream.socket.connect({ path: unixPath(stream.remote = to) });
    else if (isIP(to.host) === 0) throw new Error("Not an IP address, resolve it first");
    else {stream.socket.connect({
        host: to.host,
        port: to.port,
        localAddress: local,
        autoSelectFamily: false,
      });}
    await connected(stream.socket, signal);
    signal?.throwIfAborted();
    if ("port" in to && !stream.locate()) throw Object.assign(new Error("Reset"), { code: "ECONNRESET" });
    return stream;
  } catch (cause) {
    stream.socket.destroy();
    throw signal?.aborted ? signal.reason : failure(`Cannot dial ${show(to)}`, { cause });
  }
}

/** Resolves when a socket is connected. Rejects if it fails or the signal aborts. */
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

/** The path of a Unix socket. Node takes an empty path for TCP, and silently cuts a long one. */
function unixPath({ path }: UnixAddress): string {
  const most = process.platform === "linux" ? 107 : 103;
  const { byteLength } = new TextEncoder().encode(path);
  if (byteLength > 0 && byteLength <= most) return path;
  throw Object.assign(new Error(`Use a path of 1 to ${most} bytes`), { code: "ENAMETOOLONG" });
}

const names = new NameLookup({ query: querySystem, blocking: 2 });

function resolve(host: string, options?: ResolveOptions): Promise<Resolution> {
  return names.resolve(host, options);
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

function environmentNames(): string[] {
  return Object.keys(process.env);
}

// --- errors ---

/** The meaning of the system's error codes for a dial. */
const CODES: Codes = {
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
  ETIMEDOUT: "connection_timeout",
};

/** Their meaning for a listener. */
const LISTEN_CODES: Codes = {
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
  problem: string,
  options: { cause?: unknown; codes?: Codes; other?: SocketErrorCode },
): SocketError {
  const { cause, codes = CODES, other = "proxy_internal_error" } = options;
  const { code = "" } = (cause ?? {}) as { code?: string };
  return socketError(problem, { code: codes[code] ?? other, cause });
}
