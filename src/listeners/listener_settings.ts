/**
 * The settings of one listener: what it speaks, over TLS or not, and which load balancers it trusts.
 *
 * @module
 */

import type { Endpoint, ListenerTls } from "./endpoint.ts";
import { type IpBlock, needIpBlock } from "../addresses/ip_block.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import type { TlsServerOptions } from "../runtime/contract.ts";
import type { ReadText } from "../text/text_file.ts";
import { type CertificateFacts, factsOfCertificate, readCertificate } from "../tls/certificate_files.ts";

/** What a listener is for. */
export type Role =
  /** Clients of the proxy. */
  | "proxy"
  /** The proxy's own pages, and nothing else. */
  | "admin";

/** A listener's own settings, shared by all its connections. */
export class ListenerSettings {
  /** The protocols that it accepts. Undefined: all that the first byte tells apart. */
  readonly accepts: readonly Protocol[] | undefined;
  /** The blocks of clients whose connections begin with a PROXY protocol header; undefined if there are none. */
  readonly trusts: readonly IpBlock[] | undefined;
  readonly role: Role;
  readonly #tls: ListenerTls | undefined;
  #secrets: Omit<TlsServerOptions, "signal"> | undefined;

  /** Reads no files. {@link ListenerSettings.load} does. */
  constructor({ scheme, tls, trusts }: Pick<Endpoint, "scheme" | "tls" | "trusts">, role: Role = "proxy") {
    this.accepts = role === "admin" ? ["http"] : scheme === "auto" ? undefined : [scheme];
    this.trusts = trusts?.map(needIpBlock);
    this.role = role;
    this.#tls = tls;
  }

  /** Certificates and keys. Undefined without TLS, and before they are loaded. */
  get tls(): Omit<TlsServerOptions, "signal"> | undefined {
    return this.#secrets;
  }

  /** What its certificates say of themselves. */
  get certificates(): CertificateFacts[] {
    return (this.#secrets?.certificates ?? []).map(({ cert }) => factsOfCertificate(cert));
  }

  /**
   * Reads certificates and keys, at the start and at each reload. Settles with a function that puts them to use. Open
   * connections keep theirs.
   *
   * @throws {UsageError} If a file cannot be read or used. The certificates in use stay.
   */
  async load(readText: ReadText): Promise<() => void> {
    if (!this.#tls) return () => {};
    const { certificates, clientCa, minVersion } = this.#tls;
    const secrets = {
      certificates: await Promise.all(certificates.map((files) => readCertificate(files, readText))),
      ...clientCa !== undefined && { clientCa: await readText(clientCa, "the clients' authority") },
      ...minVersion !== undefined && { minVersion },
    };
    return () => this.#secrets = secrets;
  }
}

/** The settings for streams that no listener accepted. */
export const PLAIN_LISTENER: ListenerSettings = new ListenerSettings({ scheme: "auto" });
