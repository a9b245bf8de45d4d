/**
 * The table of the schemes that upstreams may have. A new one is a file with its connector and its row, and a line here.
 *
 * @module
 */

import type { UpstreamProtocol } from "../protocols/common/upstream_protocol.ts";
import { HTTP_UPSTREAM, HTTPS_UPSTREAM } from "../protocols/http1/connector.ts";
import { LINE_UPSTREAM } from "../protocols/line/line_connector.ts";
import { SOCKS4_UPSTREAM, SOCKS4A_UPSTREAM } from "../protocols/socks/socks4_connector.ts";
import { SOCKS5_UPSTREAM, SOCKS5H_UPSTREAM } from "../protocols/socks/socks5_connector.ts";

/** No proxy: the target itself is at the other end of a Unix socket. Whatever host the client names is left to it. */
const UNIX_TARGET: UpstreamProtocol<"unix"> = {
  name: "unix",
  port: undefined,
  asksFor: "name",
  users: undefined,
  token: false,
  tls: false,
  takesRequests: false,
  confirms: false,
  connect: undefined,
  greet: undefined,
};

/** In the order in which people are told of them. */
const ROWS = [
  HTTP_UPSTREAM,
  HTTPS_UPSTREAM,
  SOCKS4_UPSTREAM,
  SOCKS4A_UPSTREAM,
  SOCKS5_UPSTREAM,
  SOCKS5H_UPSTREAM,
  LINE_UPSTREAM,
  UNIX_TARGET,
] as const;

/**
 * What an upstream speaks. `socks4` and `socks5` are asked for addresses, which this proxy resolves;
 * `socks4a` and `socks5h` for names. `unix` is no proxy: the target itself is at the other end of the Unix
 * socket.
 */
export type UpstreamScheme = typeof ROWS[number]["name"];

/** All rows. */
export const UPSTREAM_PROTOCOLS: readonly UpstreamProtocol<UpstreamScheme>[] = ROWS;

const BY_NAME = Object.fromEntries(ROWS.map((row) => [row.name, row])) as Readonly<
  Record<UpstreamScheme, UpstreamProtocol<UpstreamScheme>>
>;

/** Whether upstreams may have the scheme. */
export function isUpstreamScheme(scheme: string): scheme is UpstreamScheme {
  return Object.hasOwn(BY_NAME, scheme);
}

/** The row of an upstream. */
export function protocolOf(
  { scheme }: { readonly scheme: UpstreamScheme },
): UpstreamProtocol<UpstreamScheme> {
  return BY_NAME[scheme];
}

/** Whether the target itself is at the other end, and no proxy that could be asked for one. */
export function isTarget(hop: { readonly scheme: UpstreamScheme }): boolean {
  return protocolOf(hop).connect === undefined;
}

/** Whether an upstream can be asked for a page, and not for a tunnel alone. */
export function takesRequests(hop: { readonly scheme: UpstreamScheme }): boolean {
  return protocolOf(hop).takesRequests;
}
