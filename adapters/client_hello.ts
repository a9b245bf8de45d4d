/**
 * Reads the server name from a ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3) before TLS does: Bun has no
 * callback for it on a TLS socket over a stream.
 *
 * @module
 */

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;

/**
 * The most octets of a hello that are read; all known ones are shorter. The limit matters because all octets are read
 * again each time more arrive.
 */
const MOST = 16_384;

/**
 * The name that a client asks for.
 *
 * @param bytes What the client has sent so far.
 * @returns The name in lower case. Empty if there is none, or if the bytes are not a ClientHello. Undefined if more bytes
 * must come.
 */
export function serverName(bytes: Uint8Array): string | undefined {
  const hello: number[] = [];
  for (let at = 0; at < MOST;) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return "";
    if (at + 5 > bytes.length) return undefined;
    const end = at + 5 + bytes[at + 3] * 256 + bytes[at + 4];
    if (end > bytes.length) return undefined;
    for (at += 5; at < end; at++) hello.push(bytes[at]);
    if (hello.length > 0 && hello[0] !== CLIENT_HELLO) return "";
    const length = hello[1] * 65536 + hello[2] * 256 + hello[3];
    if (hello.length >= 4 + length) return nameIn(hello.slice(4, 4 + length));
  }
  return "";
}

/** The server_name extension in the body of a ClientHello. Empty if the body is cut short; TLS will report that. */
function nameIn(hello: number[]): string {
  // legacy_version and random
  let at = 34;
  const read = (width: number): number => {
    let value = 0;
    for (; width > 0; width--) value = value * 256 + (hello[at++] ?? 0);
    return value;
  };
  // legacy_session_id, cipher_suites, legacy_compression_methods, then the length of all extensions
  for (const width of [1, 2, 1]) at = read(width) + at;
  read(2);
  while (at + 4 <= hello.length) {
    const type = read(2);
    const end = read(2) + at;
    if (type !== SERVER_NAME) {
      at = end;
      continue;
    }
    // server_name_list: its length, then type 0 (host_name) with the name
    read(3);
    const length = read(2);
    return String.fromCharCode(...hello.slice(at, at + length)).toLowerCase();
  }
  return "";
}
