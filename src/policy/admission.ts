/**
 * How many clients are served at once, in all and from one address, and from where.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { Fault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import { parseIp, unmapped } from "../protocols/host.ts";
import type { Address } from "../runtime.ts";
import { blockContains, type IpBlock, needIpBlock } from "./ip_block.ts";
import { sourceOfHost } from "./sources.ts";

/** What an admission goes by. */
export interface AdmissionOptions {
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** The most connections at once. */
  readonly limit: number;
  /** The most connections at once from one source: an IPv4 address, or the /64 of an IPv6 address. */
  readonly perClient: number;
  /** Blocks of addresses whose clients are served; all where there are none. */
  readonly clients: readonly string[];
}

/** How often the operator is told that clients are refused, in milliseconds. */
const WARNING_INTERVAL = 60_000;

/** Counts connections and the associations that hang on them. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #clients: readonly IpBlock[];
  readonly #sources = new Map<string, number>();
  #connections = 0;
  #associations = 0;
  #nextWarning = -Infinity;

  /** @throws {UsageError} If a block of addresses is none. */
  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#clients = options.clients.map(needIpBlock);
  }

  /** How many connections are beyond the limit, the next one included. */
  get surplus(): number {
    return Math.max(0, this.#connections + this.#associations + 1 - this.#options.limit);
  }

  /** Counts a connection in; `release` counts it out. `refusal` is why it is one too many. Undefined is nobody's client. */
  enter(client: Address | undefined): { readonly refusal: Fault | undefined; readonly release: () => void } {
    const source = client && "host" in client ? sourceOfHost(client.host) : undefined;
    const fromSource = source === undefined ? 0 : this.#sources.get(source) ?? 0;
    const refusal = this.surplus > 0
      ? this.#overload()
      : fromSource >= this.#options.perClient
      ? new Fault("connection_limit_reached", `There are ${fromSource} connections from ${source} already`)
      : undefined;
    this.#connections++;
    if (source !== undefined) this.#sources.set(source, fromSource + 1);
    return {
      refusal,
      release: () => {
        this.#connections--;
        if (source === undefined) return;
        const left = this.#sources.get(source)! - 1;
        if (left === 0) this.#sources.delete(source);
        else this.#sources.set(source, left);
      },
    };
  }

  /**
   * Makes room for an association, whose up to four descriptors count as two connections, until it is released. Throws a
   * `Fault` where there is none.
   */
  claimAssociation(): () => void {
    if (this.#connections + this.#associations >= this.#options.limit) throw this.#overload();
    this.#associations++;
    let claimed = true;
    return () => {
      if (claimed) this.#associations--;
      claimed = false;
    };
  }

  /** Why a client from an address is not served at all; undefined where it is. Unix sockets have their own permissions. */
  refuse(client: Address): Fault | undefined {
    if (this.#clients.length === 0 || "path" in client) return undefined;
    const octets = parseIp(client.host);
    if (octets && this.#clients.some((block) => blockContains(block, unmapped(octets)))) return undefined;
    return new Fault("http_request_denied", `Clients from ${client.host} are not served (--allow-client)`);
  }

  /** What a client is told that is one too many; the operator is told now and then. */
  #overload(): Fault {
    const { clock, log, limit } = this.#options;
    const now = clock.now();
    if (now >= this.#nextWarning) {
      this.#nextWarning = now + WARNING_INTERVAL;
      log.warn(
        `Refusing clients: ${limit} are connected, which is --max-connections or what the limit of open files ` +
          `(ulimit -n) leaves room for`,
      );
    }
    return new Fault("connection_limit_reached");
  }
}
