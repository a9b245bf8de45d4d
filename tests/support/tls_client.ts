/**
 * A client that speaks TLS to the proxy, and controls every byte inside it.
 *
 * @module
 */

import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { RawConnection } from "./raw_client.ts";

/** A connection whose handshake is done on the client's side. By default it trusts every server. */
export async function connectTls(
  address: TcpAddress,
  options: ConnectionOptions = {},
): Promise<RawConnection> {
  return new RawConnection(await tlsSocket(address, options));
}

/** The TLS socket itself, for tests of what the handshake has negotiated. */
export function tlsSocket(address: TcpAddress, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ends = { ...address, allowHalfOpen: true };
  const socket = connect({ ...ends, rejectUnauthorized: false, ...options });
  return new Promise((resolve, reject) => {
    // This listener stays: a TLS 1.3 client may be refused after its handshake, before another listener is added.
    socket.on("error", reject);
    socket.once("secureConnect", () => resolve(socket));
  });
}
