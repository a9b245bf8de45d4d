/**
 * Decides which clients are served: how many at once, how many from one address, and from which addresses.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import type { Address } from "../runtime/contract.ts";
import { blockContains, type IpBlock, parseIpAddress } from "../addresses/ip_block.ts";
import type { Places } from "./places.ts";
import { sourceOfHost } from "./sources.ts";

/** Whom an admission lets in. A reload replaces it. */
export interface AdmissionTerms {
  /** The most connections at once. */
  readonly limit: number;
  /** Counts the connections of each client; undefined for no limit. */
  readonly places: Places | undefined;
  /** Blocks of addresses whose clients are served; all clients if the list is empty. */
  readonly clients: readonly IpBlock[];
}

/** The first terms of an admission, and what it reports to. */
export interface AdmissionOptions extends AdmissionTerms {
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/** How often the operator is told that clients are refused, in milliseconds. */
const WARNING_INTERVAL = 60_000;

/** Counts connections and the associations that hang on them. */
export class Admission {
  readonly #options: Pick<AdmissionOptions, "clock" | "log">;
  #limit = 0;
  #places: Places | undefined;
  #clients: readonly IpBlock[] = [];
  #connections = 0;
  #associations = 0;
  #nextWarning = -Infinity;

  /** Nobody is counted in yet. */
  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.use(options);
  }

  /** Replaces the terms. Connections that were counted in stay. */
  use({ limit, places, clients }: AdmissionTerms): void {
    this.#clients = clients;
    this.#limit = limit;
    this.#places = places;
  }

  /** How many connections are beyond the limit, the next one included. */
  get surplus(): number {
    return Math.max(0, this.#connections + this.#associations + 1 - this.#limit);
  }

  /** Counts a connection in. Its client may be known only later: see {@linkcode Entry.claim}. */
  enter(client: Address | undefined): Entry {
    const refusal = this.surplus > 0 ? this.#overload() : undefined;
    this.#connections++;
    const entry = new Entry(this, { refusal, places: this.#places });
    if (client) entry.claim(client);
    return entry;
  }

  /** Counts a connection out. */
  leave(): void {
    this.#connections--;
  }

  /**
   * Counts an association in, and returns the function that counts it out. Its up to four descriptors count as two
   * connections. Throws a `Fault` if there is no room.
   */
  claimAssociation(): () => void {
    if (this.#connections + this.#associations >= this.#limit) throw this.#overload();
    this.#associations++;
    let claimed = true;
    return () => {
      if (claimed) this.#associations--;
      claimed = false;
    };
  }

  /** Why a client from an address is not served; undefined if it is. Unix sockets have their own permissions. */
  refuse(client: Address): Fault | undefined {
    if (this.#clients.length === 0 || "path" in client) return undefined;
    const address = parseIpAddress(client.host);
    if (address && this.#clients.some((block) => blockContains(block, address))) return undefined;
    return new Fault("http_request_denied", `Clients from ${client.host} are not served (--allow-client)`);
  }

  /** The fault for a client beyond the limit. It also warns the operator, at most once a minute. */
  #overload(): Fault {
    const { clock, log } = this.#options;
    const now = clock.now();
    if (now >= this.#nextWarning) {
      this.#nextWarning = now + WARNING_INTERVAL;
      log.warn(
        `Refusing clients: ${this.#limit} are connected, which is --max-connections or what the limit of open files ` +
          `(ulimit -n) leaves room for`,
      );
    }
    return new Fault("connection_limit_reached");
  }
}

/** One connection that is counted in. */
export class Entry {
  /** Why its requests are refused. A promise while another process that counts the clients has not answered yet. */
  refusal: Fault | undefined | Promise<Fault | undefined>;
  readonly #admission: Pick<Admission, "leave">;
  readonly #places: Places | undefined;
  #source: string | undefined;
  #over = false;

  /** `refusal` is set if the connection is beyond the limit already. */
  constructor(
    admission: Pick<Admission, "leave">,
    { refusal, places }: { readonly refusal: Fault | undefined; readonly places: Places | undefined },
  ) {
    this.#admission = admission;
    this.refusal = refusal;
    this.#places = places;
  }

  /** Takes a place of the client until the connection is released. Clients on Unix sockets have no places. */
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

  /** Counts the connection out, and gives its place back. Called once. */
  release(): void {
    this.#over = true;
    this.#admission.leave();
    if (this.#source !== undefined) this.#places!.give(this.#source);
  }
}
