/**
 * The callback that decides who may use the proxy.
 *
 * @module
 */

import type { Credentials } from "../protocols/common/handshake.ts";
import type { Protocol } from "../protocols/client_protocols.ts";

/** The credentials of a client, and where they come from. */
export interface AuthenticationRequest extends Credentials {
  /** The client's address, `HOST:PORT` or `unix:`. */
  readonly client: string;
  /** The protocol that the client speaks. */
  readonly protocol: Protocol;
}

/**
 * Says whether credentials are right. Called once per request on HTTP, and once per connection on SOCKS5. The signal
 * aborts when the answer is no longer needed: the client is gone, or its time is up. If the function throws, or returns
 * something else than true or false, the client gets a failure (500), and the log says why.
 *
 * @example
 * ```ts
 * import { type Authenticate, createProxy } from "sluice";
 *
 * const authenticate: Authenticate = ({ user, password }) => user === "ann" && password === "secret";
 * const proxy = await createProxy({ listen: "127.0.0.1:0", authenticate });
 * await proxy.close();
 * ```
 */
export type Authenticate = (
  request: AuthenticationRequest,
  signal: AbortSignal,
) => boolean | Promise<boolean>;
