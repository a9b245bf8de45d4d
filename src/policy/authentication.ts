/**
 * How a client is asked who it is.
 *
 * @module
 */

import type { Credentials } from "../protocols/common/handshake.ts";
import type { Protocol } from "../protocols/client_protocols.ts";

/** Who wants to be let in. */
export interface AuthenticationRequest extends Credentials {
  /** The client's address, `HOST:PORT` or `unix:`. */
  readonly client: string;
  /** What the client speaks. */
  readonly protocol: Protocol;
}

/**
 * Says whether the credentials are right. Asked once per request on HTTP, once per connection on SOCKS5. The signal
 * aborts when nobody waits for the answer any more, since the client is gone or its time is up. Where it throws, or answers
 * something else than true or false, the client is told of a failure (500), and the log says why.
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
