/**
 * The destination guard: addresses that a stranger must not reach through this proxy (server-side request forgery).
 *
 * It judges addresses as bytes. The proxy resolves a name once, has the guard judge each address, dials the judged
 * address, and has the guard judge the connection again. So the name cannot resolve differently in between. If an
 * upstream resolves the name, the guard judges each address that the name spells.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import { formatAuthority } from "../addresses/host.ts";
import type { Address, TcpAddress } from "../runtime/contract.ts";
import { blockContains, type IpAddress, parseIpAddress, parseIpBlock } from "../addresses/ip_block.ts";

/**
 * Blocks that are not the public internet, each with its name: blocks of the IANA special-purpose registries (RFC 6890)
 * that are not globally reachable, and addresses that clouds serve only to their own machines. Other metadata services
 * (169.254.169.254, 100.100.100.200, 192.0.0.192, fd00:ec2::254, fd20:ce::254) are in these blocks anyway.
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
  // These carry an IPv4 address. A router may unwrap it, and we cannot see where it leads.
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

const BLOCKS = PROHIBITED.map(([block, why]) => ({ block: parseIpBlock(block)!, why }));

/**
 * ISATAP carries IPv4 too, under whatever prefix: its interface identifiers are `0:5efe:a.b.c.d`, with the bit that
 * says whether the IPv4 address is unique in the world or not (RFC 5214 section 6.1).
 */
function isIsatap({ version, c }: IpAddress): boolean {
  return version === 6 && (c & 0xFDFF_FFFF) === 0x0000_5EFE;
}

/** The name of the block that an address is in; undefined for an address of the public internet. */
export function specialPurpose(host: string): string | undefined {
  const address = parseIpAddress(host);
  if (!address) return "no IP address";
  const why = BLOCKS.find(({ block }) => blockContains(block, address))?.why;
  return why ?? (isIsatap(address) ? "ISATAP" : undefined);
}

/**
 * Throws `destination_ip_prohibited` for an address that is not of the public internet.
 *
 * `ends` are the two addresses of an open connection. The peer must be allowed, and must not be this machine: if both
 * ends have the same address, it is.
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
