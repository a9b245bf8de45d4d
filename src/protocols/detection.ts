/**
 * Detects the protocol of a client from its first byte.
 *
 * @module
 */

import type { ByteBuffer } from "../streams/byte_buffer.ts";
import { type Protocol, PROTOCOLS } from "./client_protocols.ts";
import { CLIENT_PROTOCOLS } from "./table.ts";

/**
 * The meaning of a first byte: a protocol, `tls` for a TLS hello (so that the log can say that this listener has no
 * TLS), or `unknown` for everything else.
 */
export type Detection = Protocol | "tls" | "unknown";

/** RFC 8446 section 5.1: ContentType handshake. Every TLS connection begins with it. */
const TLS_HANDSHAKE = 0x16;

/** The protocols that the first byte tells from one another. */
const DETECTED: readonly Protocol[] = CLIENT_PROTOCOLS.filter(({ detected }) => detected).map(({ name }) =>
  name
);

/**
 * Judges the first byte and leaves it in the buffer. Undefined if there is none yet. Protocols that are not in
 * `accepts` are unknown.
 */
export function detect(buffer: ByteBuffer, accepts: readonly Protocol[] = DETECTED): Detection | undefined {
  const first = buffer.at(0);
  if (first < 0) return undefined;
  const protocol = accepts.find((candidate) => PROTOCOLS[candidate].begins(first));
  return protocol ?? (first === TLS_HANDSHAKE ? "tls" : "unknown");
}
