/**
 * The PROXY protocol, versions 1 and 2: a header before everything else, in which a load balancer tells whose
 * connection it passes on (HAProxy's specification, doc/proxy-protocol.txt section 2).
 *
 * It is never detected: a sender could claim any address. So a listener requires it from the sources that it was told
 * to trust, and accepts it from nobody else.
 *
 * @module
 */

import { type Fault, malformed } from "../faults.ts";
import type { Address, TcpAddress } from "../runtime/contract.ts";
import type { ByteBuffer } from "../streams/byte_buffer.ts";
import { formatIpv4, formatIpv6, parseIp, parseIpv4, parseIpv6, unmapped } from "../addresses/host.ts";
import { fromOctets, toOctets } from "./http/syntax.ts";

/** The content of a header. */
export interface ProxyHeader {
  /** 1 for text, 2 for binary. */
  readonly version: 1 | 2;
  /**
   * The client, and the address that it connected to. Undefined if the sender speaks for itself, or knows no addresses.
   */
  readonly ends?: {
    readonly source: TcpAddress;
    readonly destination: TcpAddress;
  };
}

/** Section 2.2. No other protocol begins like this. */
const SIGNATURE = Uint8Array.of(0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A);

const V1_PREFIX = toOctets("PROXY ");

/** Section 2.1: the longest line, with its CRLF. */
const MAX_LINE = 107;

/** Signature, version and command, family and protocol, length. */
const V2_HEADER = 16;

const COMMAND = { LOCAL: 0x20, PROXY: 0x21 } as const;

/** Address family and transport protocol. Those for datagrams are missing: listeners take TCP and Unix streams. */
const FAMILY = { UNSPEC: 0x00, TCP4: 0x11, TCP6: 0x21, UNIX_STREAM: 0x31 } as const;

/** Two paths of 108 bytes. */
const UNIX_LENGTH = 216;

/**
 * Takes a header off the buffer. Undefined while it is not complete. Throws a `Fault` as soon as it cannot become a
 * header: no other byte of the connection can be trusted then.
 */
export function readProxyHeader(buffer: ByteBuffer): ProxyHeader | undefined {
  const { bytes } = buffer;
  if (bytes.length === 0) return undefined;
  return bytes[0] === SIGNATURE[0] ? readBinary(buffer) : readLine(buffer);
}

function checkPrefix(bytes: Uint8Array, prefix: Uint8Array): void {
  for (let i = 0; i < Math.min(bytes.length, prefix.length); i++) {
    if (bytes[i] !== prefix[i]) throw bad("it does not begin like one");
  }
}

function readLine(buffer: ByteBuffer): ProxyHeader | undefined {
  const { bytes } = buffer;
  checkPrefix(bytes, V1_PREFIX);
  const lf = buffer.lineEnd();
  if ((lf < 0 ? bytes.length : lf + 1) > MAX_LINE || (lf < 0 && bytes.length === MAX_LINE)) {
    throw bad(`its line is longer than ${MAX_LINE} bytes`);
  }
  if (lf < 0) return undefined;
  const line = fromOctets(buffer.take(lf + 1));
  if (line.indexOf("\r") !== line.length - 2) throw bad("its line does not end with CRLF");
  const [, family, ...fields] = line.slice(0, -2).split(" ");
  if (family === "UNKNOWN") return { version: 1 };
  const parse = family === "TCP4" ? parseIpv4 : family === "TCP6" ? parseIpv6 : undefined;
  if (!parse || fields.length !== 4) throw bad("its line is not of six fields");
  const [source, destination] = fields.slice(0, 2).map(parse);
  const [from, to] = fields.slice(2).map(portIn);
  if (!source || !destination) throw bad("it has no valid addresses");
  return { version: 1, ends: endsOf(source, from, destination, to) };
}

function portIn(text: string): number {
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(text) || Number(text) > 65535) throw bad("it has no valid ports");
  return Number(text);
}

function readBinary(buffer: ByteBuffer): ProxyHeader | undefined {
  const { bytes } = buffer;
  checkPrefix(bytes, SIGNATURE);
  const [command, family, high, low] = bytes.subarray(SIGNATURE.length);
  if (command === undefined) return undefined;
  if (command >> 4 !== 2) throw bad(`its version is ${command >> 4}`);
  if (command !== COMMAND.LOCAL && command !== COMMAND.PROXY) throw bad("its command is unknown");
  if (low === undefined) return undefined;
  const length = high << 8 | low;
  const least = command === COMMAND.LOCAL ? 0 : addressLength(family);
  if (length < least) throw bad("it is too short for its addresses");
  if (bytes.length < V2_HEADER + length) return undefined;
  // Behind the addresses come TLVs (section 2.2.1), which are not used here.
  const addresses = buffer.take(V2_HEADER + length).subarray(V2_HEADER);
  if (command === COMMAND.LOCAL || (family !== FAMILY.TCP4 && family !== FAMILY.TCP6)) return { version: 2 };
  const size = family === FAMILY.TCP4 ? 4 : 16;
  const ports = addresses.subarray(2 * size);
  return {
    version: 2,
    ends: endsOf(
      addresses.subarray(0, size),
      ports[0] << 8 | ports[1],
      addresses.subarray(size, 2 * size),
      ports[2] << 8 | ports[3],
    ),
  };
}

function addressLength(family: number): number {
  switch (family) {
    case FAMILY.UNSPEC:
      return 0;
    case FAMILY.TCP4:
      return 4 + 4 + 2 + 2;
    case FAMILY.TCP6:
      return 16 + 16 + 2 + 2;
    case FAMILY.UNIX_STREAM:
      return UNIX_LENGTH;
    default:
      throw bad("its address family or transport is not one of a stream");
  }
}

function endsOf(source: Uint8Array, from: number, destination: Uint8Array, to: number): ProxyHeader["ends"] {
  return {
    source: { host: formatIp(source), port: from },
    destination: { host: formatIp(destination), port: to },
  };
}

/** A load balancer that listens on `[::]` maps IPv4 clients into IPv6. Records, rules and limits use the IPv4 form. */
function formatIp(given: Uint8Array): string {
  const ip = unmapped(given);
  return ip.length === 4 ? formatIpv4(ip) : formatIpv6(ip);
}

function bad(why: string): Fault {
  return malformed(`The PROXY protocol header is not valid: ${why}`);
}

/** What to write into a header. */
export interface ProxyHeaderOptions {
  /** Text or binary. */
  readonly version: 1 | 2;
  /** The client. */
  readonly source: Address;
  /** The address that the client connected to. */
  readonly destination: Address;
}

/**
 * Writes a header. If one end is not an IP address, as on a Unix socket, the header carries no addresses: it is
 * `UNKNOWN` or the command LOCAL. An IPv4 address beside an IPv6 one is mapped into IPv6 (RFC 4291 section 2.5.5.2).
 */
export function writeProxyHeader({ version, source, destination }: ProxyHeaderOptions): Uint8Array {
  const ends = "host" in source && "host" in destination ? addressesOf(source, destination) : undefined;
  if (version === 1) return toOctets(ends ? lineOf(ends) : "PROXY UNKNOWN\r\n");
  if (!ends) return Uint8Array.of(...SIGNATURE, COMMAND.LOCAL, FAMILY.UNSPEC, 0, 0);
  const family = ends.from.length === 4 ? FAMILY.TCP4 : FAMILY.TCP6;
  return Uint8Array.of(
    ...SIGNATURE,
    COMMAND.PROXY,
    family,
    0,
    addressLength(family),
    ...ends.from,
    ...ends.to,
    ...ends.ports.flatMap((port) => [port >> 8, port & 0xFF]),
  );
}

interface Ends {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly ports: readonly [number, number];
}

function addressesOf(source: TcpAddress, destination: TcpAddress): Ends | undefined {
  const from = parseIp(source.host);
  const to = parseIp(destination.host);
  if (!from || !to) return undefined;
  const ports = [source.port, destination.port] as const;
  return from.length === to.length ? { from, to, ports } : { from: mapped(from), to: mapped(to), ports };
}

function mapped(ip: Uint8Array): Uint8Array {
  return ip.length === 16 ? ip : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, ...ip);
}

function lineOf({ from, to, ports }: Ends): string {
  const ipv4 = from.length === 4;
  const hosts = [from, to].map(ipv4 ? formatIpv4 : formatIpv6);
  return `PROXY ${ipv4 ? "TCP4" : "TCP6"} ${hosts.join(" ")} ${ports.join(" ")}\r\n`;
}
