/**
 * The destination guard: addresses that a stranger must not reach through this proxy (server-side request forgery).
 *
 * It judges addresses: the name was resolved once, each address is judged as bytes, and that very address is dialed
 * and, once connected, judged again. A name cannot be resolved differently in between. Where an upstream resolves, it
 * is asked about each address that the name spells.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import { formatAuthority, parseIp } from "../addresses/host.ts";
import type { Address, TcpAddress } from "../runtime/contract.ts";
import { blockContains, type IpBlock, parseIpBlock } from "../addresses/ip_block.ts";

/**
 * Blocks that are not the public internet, and what they are: those of the IANA special-purpose registries (RFC 6890)
 * that are not globally reachable, and what clouds answer at to their own machines alone. The other metadata services
 * (169.254.169.254, 100.100.100.200, 192.0.0.192, fd00:ec2::254, fd20:ce::254) are in such blocks anyway.
 */
const PROHIBITED: readonly (readonly [block: string, why: string])[] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "carrier-grade NAT"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["168.63.129.16", "Azure's host agent"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "protocol assignments"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4 relays"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  // These carry an IPv4 address, which a router may unwrap: what lies behind cannot be told from here.
  ["::/96", "IPv4-compatible, loopback or unspecified"],
  ["::ffff:0:0:0/96", "IPv4-translated"],
  ["64:ff9b::/96", "NAT64"],
  ["64:ff9b:1::/48", "NAT64"],
  ["2001::/32", "Teredo"],
  ["2002::/16", "6to4"],
  ["100::/64", "discard-only"],
  ["100:0:0:1::/64", "dummy prefix"],
  ["2001:2::/48", "benchmarking"],
  ["2001:10::/28", "ORCHID"],
  ["2001:db8::/32", "documentation"],
  ["3fff::/20", "documentation"],
  ["5f00::/16", "segment routing"],
  ["fc00::/7", "private"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
];

/**
 * ISATAP carries IPv4 too, under whatever prefix: its interface identifiers are `0:5efe:a.b.c.d`, with the bit that
 * says whether the IPv4 address is unique in the world or not (RFC 5214 section 6.1).
 */
const ISATAP: IpBlock = {
  octets: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x00, 0x5E, 0xFE, 0, 0, 0, 0),
  mask: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0xFD, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0),
  bits: 31,
};

const BLOCKS = [
  ...PROHIBITED.map(([block, why]) => ({ block: parseIpBlock(block)!, why })),
  { block: ISATAP, why: "ISATAP" },
];

/** What kind of address it is that the public internet does not have; undefined for one that it has. */
export function specialPurpose(host: string): string | undefined {
  const address = parseIp(host);
  if (!address) return "no IP address";
  return BLOCKS.find(({ block }) => blockContains(block, address))?.why;
}

/**
 * Throws `destination_ip_prohibited` for an address that is not of the public internet.
 *
 * `ends` are the connection's own addresses once it stands: the peer must be one that may be reached, and not
 * this machine, which it is when both ends have one address.
 */
export function refuseSpecialPurpose(
  address: TcpAddress,
  ends?: { readonly local: Address; readonly remote: Address },
): void {
  const peer = ends && "host" in ends.remote ? ends.remote.host : address.host;
  const own = ends && "host" in ends.local && ends.local.host === peer ? "this machine" : undefined;
  const why = specialPurpose(address.host) ?? specialPurpose(peer) ?? own;
  if (why === undefined) return;
  throw new Fault("destination_ip_prohibited", `${formatAuthority(address)} is prohibited: ${why}`);
}
