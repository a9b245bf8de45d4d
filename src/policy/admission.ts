/**
 * How many clients are served at once, in all and from one address, and from where.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import { parseIp, unmapped } from "../addresses/host.ts";
import type { Address } from "../runtime/contract.ts";
import { blockContains, type IpBlock, needIpBlock } from "../addresses/ip_block.ts";
import type { Places } from "./places.ts";
import { sourceOfHost } from "./sources.ts";

/** What an admission goes by. */
export interface AdmissionOptions {
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** The most connections at once. */
  readonly limit: number;
  /** How many connections each client may have; as many as it likes where undefined. */
  readonly places: Places | undefined;
  /** Blocks of addresses whose clients are served; all where there are none. */
  readonly clients: readonly string[];
}

/** How often the operator is told that clients are refused, in milliseconds. */
const WARNING_INTERVAL = 60_000;

/** Counts connections and the associations that hang on them. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #clients: readonly IpBlock[];
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

  /** Counts a connection in. Whose it is may be known only later: see {@linkcode Entry.claim}. */
  enter(client: Address | undefined): Entry {
    const refusal = this.surplus > 0 ? this.#overload() : undefined;
    this.#connections++;
    const entry = new Entry(this, { refusal, places: this.#options.places });
    if (client) entry.claim(client);
    return entry;
  }

  /** Counts a connection out. */
  leave(): void {
    this.#connections--;
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

/** One connection that is counted in. */
export class Entry {
  /** Why none of its requests is served; a promise where somebody else counts the clients and has not answered yet. */
  refusal: Fault | undefined | Promise<Fault | undefined>;
  readonly #admission: Pick<Admission, "leave">;
  readonly #places: Places | undefined;
  #source: string | undefined;
  #over = false;

  /** `refusal` is why it is one too many already. */
  constructor(
    admission: Pick<Admission, "leave">,
    { refusal, places }: { readonly refusal: Fault | undefined; readonly places: Places | undefined },
  ) {
    this.#admission = admission;
    this.refusal = refusal;
    this.#places = places;
  }

  /** Takes one of the places of a client, until the connection is released. Clients on Unix sockets have no places. */
  claim(client: Address): void {
    if (!this.#places || this.refusal || !("host" in client)) return;
    const source = sourceOfHost(client.host);
    const taken = this.#places.take(source);
    this.refusal = typeof taken === "boolean"
      ? this.#claimed(source, taken)
      : taken.then((taken) => this.refusal = this.#claimed(source, taken));
  }

  #claimed(source: string, taken: boolean): Fault | undefined {
    if (!taken) {
      return new Fault(
        "connection_limit_reached",
        `${source} has all its connections already (--max-per-client)`,
      );
    }
    if (this.#over) this.#places!.give(source);
    else this.#source = source;
    return undefined;
  }

  /** Counts it out, and gives its place back. Called once. */
  release(): void {
    this.#over = true;
    this.#admission.leave();
    if (this.#source !== undefined) this.#places!.give(this.#source);
  }
}
