/**
 * Blocks of IP addresses in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3).
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { formatIpv4, formatIpv6, parseIp, unmapped } from "./host.ts";

/** All addresses that begin with the same bits. */
export interface IpBlock {
  /** The first address of the block: 4 octets, or 16. */
  readonly octets: Uint8Array;
  /** As many octets, with the bits set that the addresses share. */
  readonly mask: Uint8Array;
  /** The length of the prefix: how many bits they share. */
  readonly bits: number;
}

/** Where an IPv4 address begins in the IPv6 address that it is mapped into (RFC 4291 section 2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a block of one. A block of IPv4-mapped
 * addresses (`::ffff:10.0.0.0/104`) is the IPv4 block that it stands for.
 *
 * Undefined for anything else, and for a block that does not begin with its first address, as in
 * `10.1.2.3/8`: {@linkcode suggestIpBlock} says what may have been meant.
 */
export function parseIpBlock(text: string): IpBlock | undefined {
  const read = readIpBlock(text);
  return read?.octets.every((octet, i) => (octet & read.mask[i]) === octet) ? read : undefined;
}

/**
 * The block that an address with a prefix length lies in, `10.0.0.0/8` for `10.1.2.3/8`; undefined for other
 * text.
 */
export function suggestIpBlock(text: string): string | undefined {
  const read = readIpBlock(text);
  if (!read || !text.includes("/")) return undefined;
  const octets = read.octets.map((octet, i) => octet & read.mask[i]);
  const first = octets.length === 4 ? formatIpv4(octets) : formatIpv6(octets);
  return `${first}/${read.bits}`;
}

/**
 * Reads a block that somebody has to give.
 *
 * @throws {UsageError} If it is none; the message says what may have been meant.
 */
export function needIpBlock(text: string): IpBlock {
  const block = parseIpBlock(text);
  if (block) return block;
  const meant = suggestIpBlock(text);
  throw new UsageError(
    `Invalid block of addresses "${text}": ${
      meant ? `write "${meant}"` : 'give one such as "10.0.0.0/8" or "::1"'
    }`,
  );
}

/**
 * Whether an address lies in a block; an IPv4-mapped IPv6 address is judged as the IPv4 address that it is.
 */
export function blockContains({ octets, mask }: IpBlock, address: Uint8Array): boolean {
  // One octet tells nearly all other addresses from mapped ones, and blocks are asked by the thousand.
  const judged = address[10] === 0xFF ? unmapped(address) : address;
  if (judged.length !== octets.length) return false;
  for (let i = 0; i < octets.length; i++) if ((judged[i] & mask[i]) !== octets[i]) return false;
  return true;
}

function readIpBlock(text: string): IpBlock | undefined {
  const [address, prefix, ...more] = text.split("/");
  const given = parseIp(address);
  if (!given || more.length > 0) return undefined;
  if (prefix !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(prefix)) return undefined;
  const length = prefix === undefined ? given.length * 8 : Number(prefix);
  if (length > given.length * 8) return undefined;
  const octets = unmapped(given);
  const bits = octets.length === given.length ? length : length - MAPPED_BITS;
  return bits < 0 ? undefined : { octets, bits, mask: maskOf(bits, octets.length) };
}

function maskOf(bits: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 0xFF00 >> Math.min(Math.max(bits - 8 * i, 0), 8));
}
