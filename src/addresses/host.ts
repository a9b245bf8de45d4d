/**
 * Hosts as text and as octets: names, IPv4 and IPv6 (RFC 1123 section 2.1, RFC 4291 section 2.2, RFC 5952).
 *
 * Written by hand, because codecs import nothing of a runtime. Besides, runtimes accept more than a proxy may: zones,
 * numbers for addresses, percent signs.
 *
 * @module
 */

import type { Address, TcpAddress } from "../runtime/contract.ts";
import { parsePort, splitHostPort } from "./host_port.ts";

/** RFC 1035 section 2.3.4, which counts octets on the wire; a SOCKS5 name cannot be longer either. */
const MAX_NAME = 255;

/** Labels of up to 63 letters, digits, hyphens and underscores, which real names have. A last dot is the root. */
const NAME = /^[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/;

const [DOT, ZERO, NINE] = [0x2E, 0x30, 0x39];

const GROUP = /^[0-9A-Fa-f]{1,4}$/;

/**
 * A host as a client may name it: a name or IPv4 address as given, or an IPv6 address (without brackets or zone) in its
 * canonical spelling. Undefined for anything else.
 *
 * Numeric forms that only some resolvers take for addresses (`0x7f.1`, `2130706433`) are names here. Before dialing,
 * the address that a name resolves to is judged, never the spelling of the name.
 */
export function parseHost(text: string): string | undefined {
  if (!text.includes(":")) return text.length <= MAX_NAME && NAME.test(text) ? text : undefined;
  const bytes = parseIpv6(text);
  return bytes && formatIpv6(bytes);
}

/** The four octets of an IPv4 address, or the sixteen of an IPv6 address; undefined for anything else. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** The four octets of a dotted IPv4 address in its plain spelling; undefined for anything else. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const number = parseIpv4Number(text);
  if (number === undefined) return undefined;
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
}

/**
 * The same as one number of 32 bits, with a sign. Octets have no leading zeros (dec-octet, RFC 3986 section 3.2.2): some
 * resolvers take those for octal.
 *
 * A loop, because each request parses several addresses: a regular expression takes three times as long, and Deno takes
 * half a microsecond to make an array for the octets.
 */
export function parseIpv4Number(text: string): number | undefined {
  const { length } = text;
  if (length < 7 || length > 15) return undefined;
  let number = 0;
  let at = 0;
  for (let i = 0; i < 4; i++) {
    if (i > 0 && text.charCodeAt(at++) !== DOT) return undefined;
    const start = at;
    let octet = 0;
    for (; at < length && isDigit(text.charCodeAt(at)); at++) octet = octet * 10 + text.charCodeAt(at) - ZERO;
    const digits = at - start;
    if (digits === 0 || octet > 255 || digits > 1 && text.charCodeAt(start) === ZERO) return undefined;
    number = number << 8 | octet;
  }
  return at === length ? number : undefined;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** Four octets, dotted. */
export function formatIpv4(bytes: Uint8Array): string {
  return bytes.join(".");
}

/** The sixteen octets of an IPv6 address in any spelling of RFC 4291 section 2.2; undefined for anything else. */
export function parseIpv6(text: string): Uint8Array | undefined {
  const [head, tail, ...more] = withoutDots(text).split("::").map(groupsOf);
  if (more.length > 0) return undefined;
  const given = head.length + (tail?.length ?? 0);
  // "::" stands for at least one group.
  if (tail ? given > 7 : given !== 8) return undefined;
  const groups = tail ? [...head, ...Array(8 - given).fill("0"), ...tail] : head;
  if (!groups.every((group) => GROUP.test(group))) return undefined;
  return Uint8Array.from(groups.flatMap((group) => octetsOf(parseInt(group, 16))));
}

/** Replaces a dotted IPv4 address at the end (RFC 4291 section 2.2, form 3) by the two groups that it stands for. */
function withoutDots(text: string): string {
  const start = text.lastIndexOf(":") + 1;
  const ipv4 = text.includes(".") ? parseIpv4(text.slice(start)) : undefined;
  return ipv4 ? `${text.slice(0, start)}${hexGroups(ipv4).join(":")}` : text;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

function octetsOf(group: number): [number, number] {
  return [group >> 8, group & 0xFF];
}

function hexGroups(bytes: Uint8Array): string[] {
  const groups: string[] = [];
  for (let i = 0; i < bytes.length; i += 2) groups.push((bytes[i] << 8 | bytes[i + 1]).toString(16));
  return groups;
}

/** Sixteen octets in the canonical text of RFC 5952 section 4. Only IPv4-mapped addresses are dotted (section 5). */
export function formatIpv6(bytes: Uint8Array): string {
  const groups = hexGroups(bytes);
  if (groups.slice(0, 6).join() === "0,0,0,0,0,ffff") return `::ffff:${formatIpv4(bytes.subarray(12))}`;
  const { start, length } = longestZeroRun(groups);
  // Section 4.2.2: a single group of zeros stays.
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

/** Section 4.2.3: the longest run of zeros. If several are equally long, the first one. */
function longestZeroRun(groups: string[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === "0") end++;
    if (end - start > longest.length) longest = { start, length: end - start };
  }
  return longest;
}

/** RFC 1035 section 4.2. */
const DNS_PORT = 53;

/**
 * Reads the address of a name server: `IP`, `IP:PORT` or `[IPV6]:PORT`. The default port is 53. Undefined for anything
 * else.
 */
export function parseNameServer(text: string): TcpAddress | undefined {
  // Without brackets, every colon belongs to the IPv6 address, and there is no port.
  if (parseIpv6(text)) return { host: parseHost(text)!, port: DNS_PORT };
  const { host = "", bracketed, port } = splitHostPort(text) ?? {};
  if (!parseIp(host) || !bracketed && host.includes(":")) return undefined;
  const number = port === undefined ? DNS_PORT : parsePort(port);
  return number ? { host: parseHost(host)!, port: number } : undefined;
}

/** Host and port as in a URI: an IPv6 address has brackets (RFC 3986 section 3.2.2). */
export function formatAuthority({ host, port }: TcpAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2); any other address as given. */
export function unmapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16 || bytes[10] !== 0xFF || bytes[11] !== 0xFF) return bytes;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
  return bytes.subarray(12);
}

/**
 * Whether only this machine can reach a host: 127.0.0.0/8 (RFC 1122 section 3.2.1.3), also mapped into IPv6, ::1
 * (RFC 4291 section 2.5.3), or `localhost`.
 */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  const bytes = parseIp(host);
  if (!bytes) return false;
  const octets = unmapped(bytes);
  return octets.length === 4 ? octets[0] === 127 : octets.every((octet, i) => octet === (i === 15 ? 1 : 0));
}

/** Removes a last dot, which stands for the root of the tree: `example.com.` becomes `example.com`. */
export function withoutRoot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/**
 * Writes an address as `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`, the way {@linkcode parseEndpoint} reads it.
 */
export function formatAddress(address: Address): string {
  return "path" in address ? `unix:${address.path}` : formatAuthority(address);
}
