/**
 * The header of the datagrams between a SOCKS5 client and its proxy (RFC 1928 section 7).
 *
 * ```
 * +----+------+------+----------+----------+----------+
 * |RSV | FRAG | ATYP | DST.ADDR | DST.PORT |   DATA   |
 * +----+------+------+----------+----------+----------+
 * | 2  |  1   |  1   | Variable |    2     | Variable |
 * +----+------+------+----------+----------+----------+
 * ```
 *
 * @module
 */

import type { TcpAddress } from "../../runtime/contract.ts";
import { readAddress, writeAddress } from "./socks5_address.ts";

const RSV = 0x00;

/** A datagram that is not a fragment. */
const FRAG = 0x00;

/** A client's datagram. */
export interface UdpRequest {
  /** The name or IP address that the client gave, and the port. */
  readonly target: TcpAddress;
  /** A view of the datagram's memory; may be empty. */
  readonly payload: Uint8Array;
}

/**
 * Reads a datagram from a client. Undefined if it has to be dropped: its header is cut short or malformed, its port is
 * 0, or it is a fragment, which "an implementation that does not support fragmentation MUST drop".
 */
export function readUdpRequest(bytes: Uint8Array): UdpRequest | undefined {
  if (bytes[0] !== RSV || bytes[1] !== RSV || bytes[2] !== FRAG) return undefined;
  try {
    const read = readAddress(bytes);
    if (!read || read.address.port === 0) return undefined;
    return { target: read.address, payload: bytes.subarray(read.end) };
  } catch {
    return undefined;
  }
}

/** The datagram that brings a client an answer from an IP address. */
export function writeUdpReply(from: TcpAddress, payload: Uint8Array): Uint8Array {
  const header = writeAddress([RSV, RSV, FRAG], from);
  const bytes = new Uint8Array(header.length + payload.length);
  bytes.set(header);
  bytes.set(payload, header.length);
  return bytes;
}
