/**
 * What budgets and limits count as one client: an address, or the block of addresses that one customer has.
 *
 * @module
 */

import { formatIpv4, formatIpv6, parseIpv6, unmapped } from "../addresses/host.ts";

/** A block of addresses with a budget of its own. */
export interface Block {
  /** Such as `2001:db8::/48`. */
  readonly name: string;
  /** Its budget, as a multiple of a source's budget. */
  readonly times: number;
}

/**
 * Providers give one customer a /56 or a /48 (RFC 6177), with many /64s in it. So these blocks have budgets, too. A /56
 * cannot use up the whole budget of its /48, because neighbours may share the /48.
 */
const BLOCKS: readonly { readonly bytes: number; readonly times: number }[] = [
  { bytes: 7, times: 2 },
  { bytes: 6, times: 3 },
];

/**
 * The source that a client belongs to: its IPv4 address, the /64 of its IPv6 address, or `unix:`. A customer has at
 * least a /64 (RFC 6177 section 2). Takes `HOST:PORT` and `unix:`.
 */
export function sourceOf(client: string): string {
  return sourceOfHost(hostOf(client));
}

/** The same for an address without its port. */
export function sourceOfHost(host: string): string {
  const address = addressOf(host);
  return typeof address === "string" ? address : blockOf(address, 8);
}

/** The source of a client, and the larger blocks around it. An IPv4 address has no such blocks. */
export function originOf(client: string): { readonly source: string; readonly blocks: readonly Block[] } {
  const address = addressOf(hostOf(client));
  if (typeof address === "string") return { source: address, blocks: [] };
  const blocks = BLOCKS.map(({ bytes, times }) => ({ name: blockOf(address, bytes), times }));
  return { source: blockOf(address, 8), blocks };
}

function hostOf(client: string): string {
  return client.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** The octets of an IPv6 address, or the text of anything else. An IPv4-mapped address becomes dotted text. */
function addressOf(host: string): string | Uint8Array {
  // A text without a colon is an IPv4 address, and has only one spelling.
  const ip = host.includes(":") ? parseIpv6(host) : undefined;
  if (!ip) return host;
  const bytes = unmapped(ip);
  return bytes.length === 4 ? formatIpv4(bytes) : bytes;
}

function blockOf(address: Uint8Array, bytes: number): string {
  return `${formatIpv6(address.slice().fill(0, bytes))}/${bytes * 8}`;
}
