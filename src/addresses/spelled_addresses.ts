/**
 * The addresses that an upstream may read in a host, when the upstream resolves it.
 *
 * An upstream has resolver functions of its own, and these read more than the plain spelling. inet_aton(3) reads
 * `127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` as 127.0.0.1, and RFC 6761 section 6.3 gives `localhost` that
 * address. If any resolver reads a host as an address, the host counts as that address here.
 *
 * @module
 */

import { formatIpv4, parseIp, parseIpv6 } from "./host.ts";

/** Up to four numbers with dots between them. The dot of the root may follow. */
const NUMBERS = /^(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?$/i;

const LOOPBACKS: readonly string[] = ["127.0.0.1", "::1"];

/** RFC 6761 section 6.3. Hosts files of many systems and systemd-resolved(8) know `localhost.localdomain`, too. */
const LOCALHOST = /(?:^|\.)localhost(?:\.localdomain)?$/;

/** Names of hosts files, systemd-resolved(8) and clouds. They mean the same on all systems that know them. */
const NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ["localhost4", ["127.0.0.1"]],
  ["localhost4.localdomain4", ["127.0.0.1"]],
  ["localhost6", ["::1"]],
  ["localhost6.localdomain6", ["::1"]],
  ["ip6-localhost", ["::1"]],
  ["ip6-loopback", ["::1"]],
  ["ip6-localnet", ["fe00::"]],
  ["ip6-mcastprefix", ["ff00::"]],
  ["ip6-allnodes", ["ff02::1"]],
  ["ip6-allrouters", ["ff02::2"]],
  ["loopback", LOOPBACKS],
  ["broadcasthost", ["255.255.255.255"]],
  ["_localdnsstub", ["127.0.0.53"]],
  ["_localdnsproxy", ["127.0.0.54"]],
  ["metadata.google.internal", ["169.254.169.254", "fd20:ce::254"]],
  ["metadata.goog", ["169.254.169.254", "fd20:ce::254"]],
  ["instance-data.ec2.internal", ["169.254.169.254", "fd00:ec2::254"]],
]);

/** Whether a name is the resolver's own machine. Takes it in lower case and without the root's dot. */
export function isLocalhost(name: string): boolean {
  return LOCALHOST.test(name);
}

/**
 * Every address that some resolver reads in a host without a name server. For an IPv6 address, this includes the IPv4
 * address inside. Any other name has none.
 */
export function spelledAddresses(host: string): readonly string[] {
  if (parseIp(host)) return reachedAt(host);
  if (NUMBERS.test(host)) {
    return readNumbers(host.replace(/\.$/, "").toLowerCase().split(".")).flatMap(reachedAt);
  }
  const name = host.replace(/\.$/, "").toLowerCase();
  return isLocalhost(name) ? LOOPBACKS : NAMES.get(name) ?? [];
}

/**
 * An IP address, and the addresses that a connection to it may reach: the IPv4 address inside an IPv6 address, and
 * loopback for the unspecified address (RFC 1122 section 3.2.1.3 has no use for it, but systems connect to themselves).
 */
export function reachedAt(host: string): readonly string[] {
  if (host === "0.0.0.0") return [host, "127.0.0.1"];
  if (host === "::") return [host, "::1"];
  return host.includes(":") ? [host, ...embeddedIpv4(host)] : [host];
}

/** Reads numbers both ways: a leading zero means octal to inet_aton(3) and URLs, but not to Java and older Go. */
function readNumbers(parts: readonly string[]): string[] {
  const octal = joinNumbers(parts.map((part) => /^0[0-7]+$/.test(part) ? `0o${part}` : part));
  const decimal = joinNumbers(parts);
  return [...new Set([octal, decimal].filter((address) => address !== undefined))];
}

/** The last number fills the octets that are left (inet_aton(3)). FreeBSD takes only the low 32 bits of each number. */
function joinNumbers(parts: readonly string[]): string | undefined {
  const numbers = parts.map((part) => Number(BigInt.asUintN(32, BigInt(part === "0x" ? 0 : part))));
  const last = numbers.pop()!;
  const free = 4 - numbers.length;
  if (last >= 256 ** free || numbers.some((number) => number > 255)) return undefined;
  const rest = Array.from({ length: free }, (_, i) => Math.floor(last / 256 ** (free - 1 - i)) % 256);
  return [...numbers, ...rest].join(".");
}

/**
 * The IPv4 address inside an IPv6 address. A router or a network stack may connect to it instead. The forms are
 * IPv4-mapped, compatible and translated (RFC 4291 section 2.5.5, RFC 2765 section 2.1), NAT64 (RFC 6052 section 2.1),
 * 6to4 (RFC 3056 section 2), ISATAP (RFC 5214 section 6.1), and Teredo with all bits inverted (RFC 4380 section 4).
 */
function embeddedIpv4(host: string): string[] {
  const bytes = parseIpv6(host);
  if (!bytes) return [];
  const view = new DataView(bytes.buffer);
  const [a, b, c, d] = [0, 4, 8, 12].map((at) => view.getUint32(at));
  const mapped = a === 0 && b === 0 && (c === 0xFFFF || c === 0xFFFF0000 || (c === 0 && d > 1));
  const nat64 = a === 0x0064FF9B && b === 0 && c === 0;
  const isatap = c === 0x00005EFE || c === 0x02005EFE;
  if (mapped || nat64 || isatap) return [formatIpv4(bytes.subarray(12))];
  if (a >>> 16 === 0x2002) return [formatIpv4(bytes.subarray(2, 6))];
  if (a === 0x20010000) return [formatIpv4(bytes.subarray(12).map((byte) => byte ^ 0xFF))];
  return [];
}
