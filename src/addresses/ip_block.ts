/**
 * Blocks of IP addresses in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3).
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { formatIpv4, formatIpv6, parseIp, parseIpv4Number, parseIpv6, unmapped } from "./host.ts";

/**
 * An IP address as numbers. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is the IPv4 address. Lists hold
 * hundreds of thousands of them, and octets in an array of their own would take three times the memory.
 */
export interface IpAddress {
  readonly version: 4 | 6;
  /** The first 32 bits: all of an IPv4 address, whose other numbers are 0. */
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** All addresses that begin with the same bits, by the first of them. */
export interface IpBlock extends IpAddress {
  /** The length of the prefix: how many bits the addresses share. */
  readonly bits: number;
}

/** How many bits come before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
const MAPPED_BITS = 96;

/** Reads an address in any spelling that `parseIp` knows; undefined for anything else. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.includes(":")) {
    const octets = parseIpv6(text);
    return octets && fromOctets(unmapped(octets));
  }
  const a = parseIpv4Number(text);
  return a === undefined ? undefined : { version: 4, a, b: 0, c: 0, d: 0 };
}

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a block of one. A block of IPv4-mapped addresses
 * (`::ffff:10.0.0.0/104`) becomes the IPv4 block.
 *
 * Undefined for anything else. Undefined also if the address is not the first of its block, as in `10.1.2.3/8`:
 * {@linkcode suggestIpBlock} then says what may have been meant.
 */
export function parseIpBlock(text: string): IpBlock | undefined {
  const read = readIpBlock(text);
  if (!read) return undefined;
  const address = fromOctets(read.octets);
  const block = blockAround(address, read.bits);
  return startsAt(block, address) ? block : undefined;
}

/**
 * The block around an address with a prefix length: `10.0.0.0/8` for `10.1.2.3/8`. Undefined for other text.
 */
export function suggestIpBlock(text: string): string | undefined {
  const read = readIpBlock(text);
  if (!read || !text.includes("/")) return undefined;
  const octets = read.octets.map((octet, i) => octet & firstBits(read.bits - 8 * i + 24) & 0xFF);
  const first = octets.length === 4 ? formatIpv4(octets) : formatIpv6(octets);
  return `${first}/${read.bits}`;
}

/** What is wrong with a block whose address is not its first, and what to write. Undefined for other text. */
export function bitsBeyondPrefix(text: string, shown = text): string | undefined {
  const meant = suggestIpBlock(text);
  return meant && `"${shown}" has bits set beyond its prefix; write "${meant}"`;
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

/** Whether an address is in a block. */
export function blockContains({ version, bits, a, b, c, d }: IpBlock, address: IpAddress): boolean {
  return version === address.version && ((address.a ^ a) & firstBits(bits)) === 0 &&
    (bits <= 32 || ((address.b ^ b) & firstBits(bits - 32)) === 0 &&
        ((address.c ^ c) & firstBits(bits - 64)) === 0 && ((address.d ^ d) & firstBits(bits - 96)) === 0);
}

/** The block of all addresses that share their first bits with an address. */
export function blockAround({ version, a, b, c, d }: IpAddress, bits: number): IpBlock {
  return {
    version,
    bits,
    a: a & firstBits(bits),
    b: b & firstBits(bits - 32),
    c: c & firstBits(bits - 64),
    d: d & firstBits(bits - 96),
  };
}

/** A mask of the first bits of a number of 32 bits: none below 1, and all from 32 on. */
function firstBits(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}

function startsAt(block: IpBlock, { a, b, c, d }: IpAddress): boolean {
  return block.a === a && block.b === b && block.c === c && block.d === d;
}

function fromOctets(octets: Uint8Array): IpAddress {
  return {
    version: octets.length === 4 ? 4 : 6,
    a: numberAt(octets, 0),
    b: numberAt(octets, 4),
    c: numberAt(octets, 8),
    d: numberAt(octets, 12),
  };
}

/** Octets that an address does not have count as 0. */
function numberAt(octets: Uint8Array, at: number): number {
  return octets[at] << 24 | octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3];
}

function readIpBlock(text: string): { readonly octets: Uint8Array; readonly bits: number } | undefined {
  const [address, prefix, ...more] = text.split("/");
  const given = parseIp(address);
  if (!given || more.length > 0) return undefined;
  if (prefix !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(prefix)) return undefined;
  const length = prefix === undefined ? given.length * 8 : Number(prefix);
  if (length > given.length * 8) return undefined;
  const octets = unmapped(given);
  const bits = octets.length === given.length ? length : length - MAPPED_BITS;
  return bits < 0 ? undefined : { octets, bits };
}
