/**
 * How clients come in by a listener: what it speaks, over TLS or not, and who may speak for whom.
 *
 * @module
 */

import type { Endpoint, ListenerTls } from "./endpoint.ts";
import { type IpBlock, needIpBlock } from "./policy/ip_block.ts";
import type { Protocol } from "./protocols/handshake.ts";
import type { TlsServerOptions } from "./runtime.ts";
import { readTextFile } from "./text_file.ts";

/** What a listener is for. */
export type Role =
  /** Clients of the proxy. */
  | "proxy"
  /** The proxy's own pages, and nothing else. */
  | "admin";

/** A listener's own settings, shared by all its connections. */
export class Entrance {
  /** The protocols that are detected; all that can be told apart when undefined. */
  readonly accepts: readonly Protocol[] | undefined;
  /** Whose connections begin with a PROXY protocol header; nobody's when undefined. */
  readonly trusts: readonly IpBlock[] | undefined;
  readonly role: Role;
  readonly #tls: ListenerTls | undefined;
  #secrets: Omit<TlsServerOptions, "signal"> | undefined;

  /** Files are read by {@link Entrance.load}. */
  constructor({ scheme, tls, trusts }: Pick<Endpoint, "scheme" | "tls" | "trusts">, role: Role = "proxy") {
    this.accepts = role === "admin" ? ["http"] : scheme === "auto" ? undefined : [scheme];
    this.trusts = trusts?.map(needIpBlock);
    this.role = role;
    this.#tls = tls;
  }

  /** Certificates and keys, where it speaks TLS. */
  get tls(): Omit<TlsServerOptions, "signal"> | undefined {
    return this.#secrets;
  }

  /**
   * Reads certificates and keys, at first and whenever they were renewed; connections that stand keep theirs.
   *
   * @throws {UsageError} If a file cannot be read; what was read before stays.
   */
  async load(): Promise<void> {
    if (!this.#tls) return;
    const { certificates, clientCa, minVersion } = this.#tls;
    this.#secrets = {
      certificates: await Promise.all(certificates.map(async ({ cert, key }) => ({
        cert: await readTextFile(cert, "the certificate"),
        key: await readTextFile(key, "the key"),
      }))),
      ...clientCa !== undefined && { clientCa: await readTextFile(clientCa, "the clients' authority") },
      ...minVersion !== undefined && { minVersion },
    };
  }
}

/** For streams that come from elsewhere than a listener. */
export const PLAIN_ENTRANCE: Entrance = new Entrance({ scheme: "auto" });
