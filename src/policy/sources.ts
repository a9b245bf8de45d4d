/**
 * Who is one client to budgets and limits: an address, or the block that one customer has.
 *
 * @module
 */

import { formatIpv4, formatIpv6, parseIpv6, unmapped } from "../addresses/host.ts";

/** A block of addresses with a budget of its own. */
export interface Block {
  /** Such as `2001:db8::/48`. */
  readonly name: string;
  /** How many times the budget of a source it has. */
  readonly times: number;
}

/**
 * Whoever has a larger block of IPv6 addresses has many /64s. Providers give customers a /56 or a /48 (RFC 6177), so what
 * one customer may try is bounded there, too. No /56 can use up what its /48 may, since neighbours may share that one.
 */
const BLOCKS: readonly { readonly bytes: number; readonly times: number }[] = [
  { bytes: 7, times: 2 },
  { bytes: 6, times: 3 },
];

/**
 * Whose attempts those of a client are counted with: its IPv4 address, the /64 of its IPv6 address, which is what one
 * customer has at least (RFC 6177 section 2), or `unix:`. Takes `HOST:PORT` and `unix:`.
 */
export function sourceOf(client: string): string {
  return sourceOfHost(hostOf(client));
}

/** The same of an address without its port. */
export function sourceOfHost(host: string): string {
  const address = addressOf(host);
  return typeof address === "string" ? address : blockOf(address, 8);
}

/** The source of a client, and the larger blocks that it lies in; an IPv4 address counts for itself alone. */
export function originOf(client: string): { readonly source: string; readonly blocks: readonly Block[] } {
  const address = addressOf(hostOf(client));
  if (typeof address === "string") return { source: address, blocks: [] };
  const blocks = BLOCKS.map(({ bytes, times }) => ({ name: blockOf(address, bytes), times }));
  return { source: blockOf(address, 8), blocks };
}

function hostOf(client: string): string {
  return client.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** The octets of an IPv6 address; for anything else its one spelling. */
function addressOf(host: string): string | Uint8Array {
  // What has no colon is an IPv4 address, of which there is one spelling.
  const ip = host.includes(":") ? parseIpv6(host) : undefined;
  if (!ip) return host;
  const bytes = unmapped(ip);
  return bytes.length === 4 ? formatIpv4(bytes) : bytes;
}

function blockOf(address: Uint8Array, bytes: number): string {
  return `${formatIpv6(address.slice().fill(0, bytes))}/${bytes * 8}`;
}
