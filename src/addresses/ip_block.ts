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
  /** The mask, of the same length: the bits are set that all addresses share. */
  readonly mask: Uint8Array;
  /** The length of the prefix: how many bits the addresses share. */
  readonly bits: number;
}

/** How many bits come before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a block of one. A block of IPv4-mapped addresses
 * (`::ffff:10.0.0.0/104`) becomes the IPv4 block.
 *
 * Undefined for anything else. Undefined also if the address is not the first of its block, as in `10.1.2.3/8`:
 * {@linkcode suggestIpBlock} then says what may have been meant.
 */
export function parseIpBlock(text: string): IpBlock | undefined {
  const read = readIpBlock(text);
  return read?.octets.every((octet, i) => (octet & read.mask[i]) === octet) ? read : undefined;
}

/**
 * The block around an address with a prefix length: `10.0.0.0/8` for `10.1.2.3/8`. Undefined for other text.
 */
export function suggestIpBlock(text: string): string | undefined {
  const read = readIpBlock(text);
  if (!read || !text.includes("/")) return undefined;
  const octets = read.octets.map((octet, i) => octet & read.mask[i]);
  const first = octets.length === 4 ? formatIpv4(octets) : formatIpv6(octets);
  return `${first}/${read.bits}`;
}

/**
 * Reads a block like {@linkcode parseIpBlock}, but throws if it cannot.
 *
 * @throws {UsageError} If the text is not a block. The message says what may have been meant.
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
 * Whether an address is in a block. An IPv4-mapped IPv6 address counts as the IPv4 address.
 */
export function blockContains({ octets, mask }: IpBlock, address: Uint8Array): boolean {
  // Nearly all addresses that are not mapped differ in this octet. One look at it is quick, for thousands of blocks.
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
