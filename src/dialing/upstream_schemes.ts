/**
 * The table of the schemes of upstreams. To add one: a file with its connector and its row, and a line here.
 *
 * @module
 */

import type { UpstreamProtocol } from "../protocols/common/upstream_protocol.ts";
import { HTTP_UPSTREAM, HTTPS_UPSTREAM } from "../protocols/http1/connector.ts";
import { LINE_UPSTREAM } from "../protocols/line/line_connector.ts";
import { SOCKS4_UPSTREAM, SOCKS4A_UPSTREAM } from "../protocols/socks/socks4_connector.ts";
import { SOCKS5_UPSTREAM, SOCKS5H_UPSTREAM } from "../protocols/socks/socks5_connector.ts";

/** Not a proxy: the target itself listens on a Unix socket. It gets whatever host the client names. */
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

/** In the order in which messages list them. */
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
 * The protocol of an upstream. `socks4` and `socks5` get addresses, which this proxy resolves; `socks4a` and `socks5h`
 * get names. `unix` is not a proxy: the target itself listens on the Unix socket.
 */
export type UpstreamScheme = typeof ROWS[number]["name"];

/** All rows. */
export const UPSTREAM_PROTOCOLS: readonly UpstreamProtocol<UpstreamScheme>[] = ROWS;

const BY_NAME = Object.fromEntries(ROWS.map((row) => [row.name, row])) as Readonly<
  Record<UpstreamScheme, UpstreamProtocol<UpstreamScheme>>
>;

/** Whether this is the scheme of an upstream. */
export function isUpstreamScheme(scheme: string): scheme is UpstreamScheme {
  return Object.hasOwn(BY_NAME, scheme);
}

/** The row of an upstream. */
export function protocolOf(
  { scheme }: { readonly scheme: UpstreamScheme },
): UpstreamProtocol<UpstreamScheme> {
  return BY_NAME[scheme];
}

/** Whether the target itself is at the other end, and not a proxy. */
export function isTarget(hop: { readonly scheme: UpstreamScheme }): boolean {
  return protocolOf(hop).connect === undefined;
}

/** Whether an upstream takes plain HTTP requests, and not only tunnels. */
export function takesRequests(hop: { readonly scheme: UpstreamScheme }): boolean {
  return protocolOf(hop).takesRequests;
}
