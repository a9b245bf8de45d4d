/**
 * Which protocol a client speaks, told from its first byte.
 *
 * A new protocol is one file with its handshake, and one line in {@link PROTOCOLS}.
 *
 * @module
 */

import type { ByteBuffer } from "../streams/byte_buffer.ts";
import type { Handshake, HandshakeOptions, Protocol } from "./common/handshake.ts";
import { HttpHandshake } from "./http1/handshake.ts";
import { CR, isTokenByte, LF } from "./http/syntax.ts";
import { LineHandshake } from "./line/line.ts";
import { Socks4Handshake } from "./socks/socks4.ts";
import { Socks5Handshake } from "./socks/socks5.ts";

/** How a protocol is recognized, and who speaks it. */
export interface ProtocolEntry {
  /** Whether a client of this protocol may begin with the byte. No two that are detected share one. */
  readonly begins: (first: number) => boolean;
  /** Makes the codec for one request. */
  readonly Handshake: new (options: HandshakeOptions) => Handshake;
}

/** Every protocol that a listener can speak. */
export const PROTOCOLS: Readonly<Record<Protocol, ProtocolEntry>> = {
  http: { begins: beginsHttp, Handshake: HttpHandshake },
  socks4: { begins: (first) => first === 0x04, Handshake: Socks4Handshake },
  socks5: { begins: (first) => first === 0x05, Handshake: Socks5Handshake },
  line: { begins: () => true, Handshake: LineHandshake },
};

/**
 * What a first byte says: a protocol, `tls` for a TLS hello (so that the log can say that this listener has no
 * TLS), or `unknown` for everything else.
 */
export type Detection = Protocol | "tls" | "unknown";

/** RFC 8446 section 5.1: ContentType handshake, with which every TLS connection begins. */
const TLS_HANDSHAKE = 0x16;

/** What can be told apart. A line may begin with any byte: it is spoken where nothing else is. */
const DETECTED: readonly Protocol[] = ["http", "socks4", "socks5"];

/**
 * Judges the first byte and leaves it where it is; undefined while there is none. A listener that `accepts` only
 * some protocols does not know the others.
 */
export function detect(buffer: ByteBuffer, accepts: readonly Protocol[] = DETECTED): Detection | undefined {
  const first = buffer.at(0);
  if (first < 0) return undefined;
  const protocol = accepts.find((candidate) => PROTOCOLS[candidate].begins(first));
  return protocol ?? (first === TLS_HANDSHAKE ? "tls" : "unknown");
}

/** A method is a token (RFC 9112 section 3). An empty line before it is for the codec to judge (section 2.2). */
function beginsHttp(first: number): boolean {
  return isTokenByte(first) || first === CR || first === LF;
}
