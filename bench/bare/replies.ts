/**
 * What the bare relays say to clients that ask for a tunnel, and the first byte by which they know them.
 *
 * @module
 */

/** The first bytes of CONNECT and of SOCKS5. */
export const [CONNECT, SOCKS5]: number[] = ["C".charCodeAt(0), 5];

/** What a client of SOCKS5 is told first: no password is asked for. */
export const GREETING: Uint8Array = Uint8Array.of(5, 0);

const ESTABLISHED = new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n");
const SUCCEEDED = Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0);

/** What a client is told when its tunnel stands; undefined if it asked for none. */
export function replyTo(first: Uint8Array): Uint8Array | undefined {
  return first[0] === CONNECT ? ESTABLISHED : first[0] === SOCKS5 ? SUCCEEDED : undefined;
}
