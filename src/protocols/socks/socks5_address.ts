/**
 * Addresses in SOCKS5 messages (RFC 1928 section 5).
 *
 * Requests, replies and the header of datagrams have the same layout: three octets of their own, the address type, the
 * address, the port.
 *
 * @module
 */

import { malformed } from "../../faults.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import { formatIpv4, formatIpv6, parseHost, parseIp } from "../../addresses/host.ts";
import { fromOctets } from "../http/syntax.ts";

const ATYP = { IPV4: 0x01, DOMAINNAME: 0x03, IPV6: 0x04 } as const;

/** RFC 1928 section 6. */
const ADDRESS_TYPE_NOT_SUPPORTED = 0x08;

/** The offset of the address type in every message. */
const ATYP_OFFSET = 3;
const ADDRESS_OFFSET = 4;

/**
 * The address of a message, and the offset behind it. Undefined: needs more bytes. Throws a `Fault` for an unknown type
 * and for an invalid name.
 */
export function readAddress(bytes: Uint8Array): { address: TcpAddress; end: number } | undefined {
  if (bytes.length <= ATYP_OFFSET) return undefined;
  const atyp = bytes[ATYP_OFFSET];
  const end = ADDRESS_OFFSET + addressLength(atyp, bytes[ADDRESS_OFFSET] ?? 0);
  if (bytes.length < end + 2) return undefined;
  const host = hostIn(atyp, bytes.subarray(ADDRESS_OFFSET, end));
  return { address: { host, port: bytes[end] << 8 | bytes[end + 1] }, end: end + 2 };
}

/** A message up to the end of its address: three octets, and an IP address with its port. */
export function writeAddress(octets: readonly number[], { host, port }: TcpAddress): Uint8Array {
  const ip = parseIp(host) ?? new Uint8Array(4);
  const atyp = ip.length === 4 ? ATYP.IPV4 : ATYP.IPV6;
  return Uint8Array.of(...octets, atyp, ...ip, port >> 8, port & 0xFF);
}

/** The length of an address. The first octet of a name is its length. */
function addressLength(atyp: number, first: number): number {
  switch (atyp) {
    case ATYP.IPV4:
      return 4;
    case ATYP.IPV6:
      return 16;
    case ATYP.DOMAINNAME:
      return 1 + first;
    default:
      throw malformed(`The SOCKS5 address type ${atyp} is not known`, { socks5: ADDRESS_TYPE_NOT_SUPPORTED });
  }
}

function hostIn(atyp: number, address: Uint8Array): string {
  if (atyp === ATYP.IPV4) return formatIpv4(address);
  if (atyp === ATYP.IPV6) return formatIpv6(address);
  const name = fromOctets(address.subarray(1));
  const host = parseHost(name);
  if (host === undefined) throw malformed(`The host name is not valid: ${JSON.stringify(name)}`);
  return host;
}
