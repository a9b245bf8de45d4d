/**
 * What a connection is given by the proxy that it belongs to. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Log } from "./observe/log.ts";
import type { AccessRecord } from "./observe/record.ts";
import type { Credentials, Protocol } from "./protocols/handshake.ts";
import type { ForwardedMode } from "./protocols/http1_forwarded.ts";
import type { Address, Runtime } from "./runtime.ts";
import type { Limits, Timeouts } from "./settings.ts";
import type { Event, State } from "./states.ts";
import type { OriginPool } from "./upstreams/pool.ts";

/** Who wants to be let in. */
export interface AuthenticationRequest extends Credentials {
  /** The client's address, `HOST:PORT` or `unix:`. */
  readonly client: string;
  /** What the client speaks. */
  readonly protocol: Protocol;
}

/** Says whether the credentials are right. Asked once per request on HTTP, once per connection on SOCKS5. */
export type Authenticate = (request: AuthenticationRequest) => boolean | Promise<boolean>;

/** A hook that sees every transition of every connection; for metrics and tests. */
export type OnTransition = (transition: { id: string; from: State; event: Event; to: State }) => void;

/** The proxy's side of a connection. */
export interface Services {
  readonly runtime: Pick<Runtime, "dial" | "resolve">;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  /** The token that names this deployment in Via and Proxy-Status. */
  readonly name: string;
  /** What becomes of Forwarded and X-Forwarded-For. */
  readonly forwarded: ForwardedMode;
  readonly log: Log;
  readonly pool: OriginPool;
  readonly authenticate: Authenticate | undefined;
  readonly onRecord: (record: AccessRecord) => void;
  readonly onTransition: OnTransition | undefined;
  /** Whether addresses beyond the public internet may be dialed. */
  readonly privateDestinations: "allow" | "deny";
  /** Where the proxy itself listens. */
  readonly listening: () => readonly Address[];
}
