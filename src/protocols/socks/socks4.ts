/**
 * SOCKS4 and SOCKS4A as a client speaks them (two memos by Ying-Da Lee; there is no RFC).
 *
 * ```
 * CONNECT   +----+----+---------+-------+----------+------+    4A, where DSTIP    +--------+------+
 *           | VN | CD | DSTPORT | DSTIP |  USERID  | NULL |    is 0.0.0.x and     |  name  | NULL |
 *           +----+----+---------+-------+----------+------+    x is not 0,        +--------+------+
 *              1    1      2        4     variable     1       goes on with        variable    1
 *
 * reply     +----+----+---------+-------+
 *           | VN | CD | DSTPORT | DSTIP |    VN is 0 here
 *           +----+----+---------+-------+
 *              1    1      2        4
 * ```
 *
 * CONNECT is served, BIND is not. USERID is a claim that only an ident server could prove: it is read and
 * forgotten, and a client of SOCKS4 has no credentials.
 *
 * @module
 */

import { type Fault, malformed } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { ClientProtocol } from "../common/client_protocol.ts";
import type { Refusal, TunnelRequest } from "../common/handshake.ts";
import { formatIpv4, parseHost, parseIpv4 } from "../../addresses/host.ts";
import { fromOctets } from "../http/syntax.ts";
import { NamelessHandshake } from "../common/nameless_handshake.ts";

const VN = 0x04;
const VN_REPLY = 0x00;
const CD_CONNECT = 0x01;
const CD_GRANTED = 0x5A;
/** Request rejected or failed: the only answer to a fault. */
const CD_REJECTED = 0x5B;

/** Where USERID begins. */
const USERID = 8;

/** The memos name no limit for USERID or the name; SOCKS5 and the domain name system both stop at 255. */
const MAX_STRING = 255;

/** One SOCKS4 or SOCKS4A request. */
export class Socks4Handshake extends NamelessHandshake<"socks4"> {
  /** See `Handshake`. */
  override readonly protocol = "socks4";

  protected override readRequest(buffer: ByteBuffer): TunnelRequest | undefined {
    const { bytes } = buffer;
    if (bytes.length < USERID) return undefined;
    const [vn, cd] = bytes;
    if (vn !== VN) throw malformed(`This is not SOCKS4: the first byte is ${vn}`);
    if (cd !== CD_CONNECT) throw malformed(`The SOCKS4 command ${cd} is not served; 1, CONNECT, is`);
    const port = bytes[2] << 8 | bytes[3];
    if (port === 0) throw malformed("The port is 0; a target has one from 1 to 65535");
    const userEnd = stringEnd(bytes, USERID, "user id");
    if (userEnd === undefined) return undefined;
    const address = bytes.subarray(4, USERID);
    const nameEnd = isNameMarker(address) ? stringEnd(bytes, userEnd + 1, "host name") : userEnd;
    if (nameEnd === undefined) return undefined;
    const host = nameEnd === userEnd ? formatIpv4(address) : nameIn(bytes.subarray(userEnd + 1, nameEnd));
    buffer.skip(nameEnd + 1);
    return { kind: "tunnel", target: { host, port } };
  }

  /** Request granted, with the bound address if it is IPv4. */
  override established({ local: bound }: { readonly local: Address }): Uint8Array {
    if (!("host" in bound)) return reply(CD_GRANTED);
    const ip = parseIpv4(bound.host);
    return ip ? reply(CD_GRANTED, ip, bound.port) : reply(CD_GRANTED);
  }

  /** Request rejected or failed: the only answer to a fault. */
  override refused(_fault: Fault): Refusal {
    return { bytes: reply(CD_REJECTED), retryable: false };
  }
}

/** SOCKS4 and SOCKS4A. */
export const SOCKS4: ClientProtocol<"socks4", "socks4"> = {
  name: "socks4",
  begins: (first) => first === VN,
  detected: true,
  persistent: false,
  Handshake: Socks4Handshake,
  ruleWords: { tunnel: "socks4" },
  established: CD_GRANTED,
  refused: () => CD_REJECTED,
  urlSchemes: { plain: "socks4", tls: "socks4+tls" },
  browserWords: { plain: "SOCKS", tls: "SOCKS" },
};

/** 4A: an impossible address means that a name follows. 0.0.0.0 is not one of them. */
function isNameMarker([a, b, c, d]: Uint8Array): boolean {
  return a === 0 && b === 0 && c === 0 && d !== 0;
}

/** Where the NUL of a string is. Undefined if it has not arrived. */
function stringEnd(bytes: Uint8Array, start: number, what: string): number | undefined {
  const length = bytes.subarray(start, start + MAX_STRING + 1).indexOf(0);
  if (length >= 0) return start + length;
  if (bytes.length - start > MAX_STRING) throw malformed(`The ${what} is longer than ${MAX_STRING} bytes`);
  return undefined;
}

function nameIn(bytes: Uint8Array): string {
  const name = fromOctets(bytes);
  const host = parseHost(name);
  if (host === undefined) throw malformed(`The host name is not valid: ${JSON.stringify(name)}`);
  return host;
}

function reply(cd: number, ip: Uint8Array = new Uint8Array(4), port = 0): Uint8Array {
  return Uint8Array.of(VN_REPLY, cd, port >> 8, port & 0xFF, ...ip);
}
