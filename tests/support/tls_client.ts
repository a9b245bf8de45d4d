/**
 * A client that speaks TLS to the proxy, and everything inside it byte by byte.
 *
 * @module
 */

import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { RawConnection } from "./raw_client.ts";

/** A connection whose handshake is done as far as the client is concerned. It trusts anybody, unless told otherwise. */
export async function connectTls(
  address: TcpAddress,
  options: ConnectionOptions = {},
): Promise<RawConnection> {
  return new RawConnection(await tlsSocket(address, options));
}

/** The bare socket, for what the handshake has settled. */
export function tlsSocket(address: TcpAddress, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ends = { ...address, allowHalfOpen: true };
  const socket = connect({ ...ends, rejectUnauthorized: false, ...options });
  return new Promise((resolve, reject) => {
    // It stays: a client of TLS 1.3 may be refused between its handshake and the next who listens.
    socket.on("error", reject);
    socket.once("secureConnect", () => resolve(socket));
  });
}
