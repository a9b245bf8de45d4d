/**
 * What the rest of the program knows of a protocol that upstreams speak. Each connector exports its own row, and
 * `src/dialing/upstream_schemes.ts` lists them.
 *
 * @module
 */

import type { Settings } from "../../settings/settings.ts";
import type { Connector, ConnectorOptions } from "./connector.ts";

/** The row of one scheme. */
export interface UpstreamProtocol<Name extends string = string> {
  /** The scheme in lower case, as people write it before `://`. */
  readonly name: Name;
  /** The default port. Undefined if a port must be given. */
  readonly port: number | undefined;
  /** What to ask it for if a client names a host: the name, or an address that this proxy has resolved. */
  readonly asksFor: "name" | "address" | "IPv4 address";
  /** The users that it takes. Undefined if it has no users. */
  readonly users: UpstreamUsers | undefined;
  /** Whether it takes a bearer token (RFC 6750) instead of a user. */
  readonly token: boolean;
  /** Whether it is spoken over TLS. Only then does it have parameters about certificates. */
  readonly tls: boolean;
  /** Whether it takes HTTP requests in absolute-form, and not only tunnels. */
  readonly takesRequests: boolean;
  /** Whether it tells when a tunnel is open. If not, the first bytes of the target show it. */
  readonly confirms: boolean;
  /** Makes the codec that asks for a tunnel. Undefined if the target itself is at the other end. */
  readonly connect: ((options: HopOptions) => Connector) | undefined;
  /**
   * Makes the codec that makes the upstream answer without naming a target. Undefined if the protocol has no such
   * message. It ends before the target would have to be named.
   */
  readonly greet: ((options: HopOptions) => Connector) | undefined;
}

/** What user names and passwords may be. Each sentence says why something is refused. Undefined: it is allowed. */
export interface UpstreamUsers {
  /** For passwords. */
  readonly noPassword?: string;
  /** For colons in user names. */
  readonly noColon?: string;
  /** For user names or passwords with more bytes than this in UTF-8. */
  readonly limit?: { readonly bytes: number; readonly why: string };
}

/** What to ask an upstream with. Each protocol uses what it has a place for. */
export interface HopOptions extends ConnectorOptions {
  /** The value of Proxy-Authorization: see `basicAuthorization`. */
  readonly authorization: string | undefined;
  /** The value of Via: the hops behind us and our own name (RFC 9110 section 7.6.3). */
  readonly via: string | undefined;
  /** The value of traceparent (W3C Trace Context). */
  readonly trace?: string;
  /** The settings in force for this dial. */
  readonly settings: Settings;
  /** Whether the upstream has proved its identity with its key. Then it is the right one, whatever it answers. */
  readonly pinned: boolean;
}
