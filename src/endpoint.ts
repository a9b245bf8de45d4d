/**
 * Endpoints: where the proxy listens, as people write it.
 *
 * @module
 */

import { formatAuthority, formatIpv6, isLoopback, parseIpv4, parseIpv6 } from "./protocols/host.ts";
import type { Address, TcpAddress } from "./runtime.ts";
import { UsageError } from "./usage_error.ts";

/** What a listener speaks: one protocol, or whichever of them the client's first byte says. */
export type ListenerScheme = "auto" | "http" | "socks4" | "socks5";

/** A listener: a scheme and the address to bind. */
export interface Endpoint {
  readonly scheme: ListenerScheme;
  readonly address: Address;
}

/** Where the proxy listens unless told otherwise. */
export const DEFAULT_ENDPOINT = "127.0.0.1:8899";

const SCHEMES: readonly string[] = ["auto", "http", "socks4", "socks5"] satisfies ListenerScheme[];

const LOOPBACK = "127.0.0.1";

/** What `sun_path` holds on Linux beside its final NUL (unix(7)). */
const MAX_PATH_BYTES = 107;

/**
 * Reads the endpoint of a listener, `[SCHEME://]HOST:PORT` or `[SCHEME://]unix:PATH`.
 *
 * - SCHEME is `auto` (the default: every protocol), `http`, `socks4` or `socks5`.
 * - HOST is an IPv4 address, an IPv6 address in brackets, or `localhost`. Without one (`:8899`, or `8899`) it is
 *   127.0.0.1: only `0.0.0.0` and `[::]` listen on every address.
 * - PORT is 0 to 65535; with 0 the system chooses.
 *
 * @throws {UsageError} If the text is nothing of this kind.
 *
 * @example
 * ```ts
 * parseEndpoint("socks5://[::1]:1080"); // { scheme: "socks5", address: { host: "::1", port: 1080 } }
 * parseEndpoint("unix:/run/sluice.sock"); // { scheme: "auto", address: { path: "/run/sluice.sock" } }
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  const scheme = /^([^:/]*):\/\//.exec(text)?.[1];
  if (scheme === undefined) return { scheme: "auto", address: parseAddress(text, text) };
  const rest = text.slice(scheme.length + "://".length);
  if (scheme === "unix") return { scheme: "auto", address: parsePath(rest, text) };
  if (!isScheme(scheme)) {
    const why = scheme === "line" || scheme.endsWith("+tls")
      ? "this version does not listen for it"
      : "the scheme is unknown";
    throw invalid(text, `${why}; use one of ${SCHEMES.join(", ")}`);
  }
  return { scheme, address: parseAddress(rest.replace(/\/$/, ""), text) };
}

function isScheme(scheme: string): scheme is ListenerScheme {
  return SCHEMES.includes(scheme);
}

function parseAddress(text: string, whole: string): Address {
  if (text.startsWith("unix:")) return parsePath(text.slice("unix:".length), whole);
  if (text.includes("@")) throw invalid(whole, "users are not part of a listener");
  const [, host = "", port] = /^(?:(.*):)?(.*)$/s.exec(text) ?? [];
  // Looked for first, since the last colon of a bare IPv6 address may well have a number behind it.
  if (parseIpv6(text)) throw invalid(whole, `an IPv6 address goes into brackets, as in "[::1]:8899"`);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw invalid(whole, `give an address and a port from 0 to 65535, such as "${DEFAULT_ENDPOINT}"`);
  }
  return { host: parseListenHost(host, whole), port: Number(port) };
}

function parseListenHost(host: string, whole: string): string {
  if (host === "") return LOOPBACK;
  if (host === "localhost" || parseIpv4(host)) return host;
  const ipv6 = /^\[(.*)\]$/s.exec(host)?.[1];
  const bytes = ipv6 === undefined ? undefined : parseIpv6(ipv6);
  if (bytes) return formatIpv6(bytes);
  if (host === "*") throw invalid(whole, `write "0.0.0.0" or "[::]" for every address`);
  throw invalid(whole, `"${host}" is no IP address of this machine, nor "localhost"`);
}

function parsePath(path: string, whole: string): Address {
  if (path === "" || path.includes("\0")) throw invalid(whole, `give a path, as in "unix:/run/sluice.sock"`);
  const length = new TextEncoder().encode(path).length;
  if (length > MAX_PATH_BYTES) {
    throw invalid(
      whole,
      `the path has ${length} bytes and Unix sockets allow ${MAX_PATH_BYTES}; use a shorter one`,
    );
  }
  return { path };
}

function invalid(text: string, why: string): UsageError {
  return new UsageError(`Invalid listener "${redact(text)}": ${why}`);
}

/** Leaves out what may be a password. The path of a Unix socket has none, and may well have an at sign. */
function redact(text: string): string {
  return text.includes("unix:") ? text : text.replace(/^(.*?:\/\/)?.*@/s, "$1...@");
}

/** Writes an address as `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, the way {@linkcode parseEndpoint} reads it. */
export function formatAddress(address: Address): string {
  return "path" in address ? `unix:${address.path}` : formatAuthority(address);
}

/** The first listener that other machines can reach. A Unix socket is guarded by the permissions of its file. */
export function beyondLoopback(addresses: readonly Address[]): TcpAddress | undefined {
  return addresses.find((address): address is TcpAddress => "host" in address && !isLoopback(address.host));
}

/**
 * Refuses to be an open proxy by accident: a listener that other machines can reach needs users.
 *
 * @throws {UsageError} At the first address beyond loopback. The caller leaves the check out where there are
 * users, or where the operator asked for an open proxy.
 */
export function refuseOpenListeners(addresses: readonly Address[]): void {
  const open = beyondLoopback(addresses);
  if (!open) return;
  throw new UsageError(
    `Refusing to listen on ${formatAddress(open)}: whoever reaches it could use this proxy. ` +
      `Listen on ${LOOPBACK}, name its users with --user, or say --allow-open if that is what you want`,
  );
}
