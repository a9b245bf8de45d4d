/**
 * What the rest of the program knows of a protocol that upstreams speak. Each connector exports its own row, and
 * `src/dialing/upstream_schemes.ts` lists them.
 *
 * @module
 */

import type { Settings } from "../../settings/settings.ts";
import type { Connector, ConnectorOptions } from "./connector.ts";

/** One scheme of upstreams, described once. */
export interface UpstreamProtocol<Name extends string = string> {
  /** The scheme in small letters, as people write it before `://`. */
  readonly name: Name;
  /** The port where none is given; undefined where one must be. */
  readonly port: number | undefined;
  /** What it is asked for where a client names a host: the name, or an address that this proxy has resolved. */
  readonly asksFor: "name" | "address" | "IPv4 address";
  /** The users that it takes; undefined where it takes none. */
  readonly users: UpstreamUsers | undefined;
  /** Whether it takes a bearer token (RFC 6750) in place of a user. */
  readonly token: boolean;
  /** Whether it is spoken over TLS. Only then it has parameters about certificates. */
  readonly tls: boolean;
  /** Whether it takes HTTP requests in absolute-form, and not tunnels alone. */
  readonly takesRequests: boolean;
  /** Whether it says when a tunnel stands. Where it does not, the first bytes of the target say so. */
  readonly confirms: boolean;
  /** Makes the codec that asks for a tunnel; undefined where the target itself is at the other end, and no proxy. */
  readonly connect: ((options: HopOptions) => Connector) | undefined;
  /**
   * Makes the codec that gets a first word out of the upstream without naming a target to it; undefined where the
   * protocol has no such word. It is over as soon as the target would have to be named.
   */
  readonly greet: ((options: HopOptions) => Connector) | undefined;
}

/** What user names and passwords may be. A sentence says why something is refused; undefined where it is not. */
export interface UpstreamUsers {
  /** Passwords. */
  readonly noPassword?: string;
  /** Colons in user names. */
  readonly noColon?: string;
  /** User names or passwords of more bytes in UTF-8. */
  readonly limit?: { readonly bytes: number; readonly why: string };
}

/** What an upstream is asked with. Each protocol takes what it has a place for. */
export interface HopOptions extends ConnectorOptions {
  /** The value of Proxy-Authorization: see `basicAuthorization`. */
  readonly authorization: string | undefined;
  /** The value of Via: the hops behind us and our own name (RFC 9110 section 7.6.3). */
  readonly via: string | undefined;
  /** What is in force for this dial. */
  readonly settings: Settings;
  /** Whether the proxy is known by its key, so that it is the right one whatever it says. */
  readonly pinned: boolean;
}
