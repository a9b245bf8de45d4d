/**
 * The addresses of this machine: to strangers they are no targets, whatever block they are from.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import { formatAuthority, parseIp, unmapped } from "../addresses/host.ts";
import type { Runtime, TcpAddress } from "../runtime/contract.ts";

/** How long the list is good for, in milliseconds: interfaces come and go, seldom. */
const LIFETIME = 10_000;

type Source = Pick<Runtime, "ownAddresses" | "openDatagrams">;

/** Knows this machine's addresses, as far as the runtime may tell them. */
export class OwnAddresses {
  readonly #runtime: Source;
  readonly #clock: Clock;
  #known: ReadonlySet<string> = new Set();
  #expires = -Infinity;

  /** Asks nobody yet. */
  constructor({ runtime, clock }: { runtime: Source; clock: Clock }) {
    this.#runtime = runtime;
    this.#clock = clock;
  }

  /** Throws `destination_ip_prohibited` for an address of this machine, in whatever spelling. */
  refuse(address: TcpAddress): void {
    const now = this.#clock.now();
    if (now >= this.#expires) {
      this.#known = new Set(this.#runtime.ownAddresses().map(key));
      this.#expires = now + LIFETIME;
    }
    if (this.#known.has(key(address.host))) throw prohibited(address);
  }

  /**
   * Rejects where {@linkcode refuse} throws, and also where the runtime tells no addresses and a socket can be bound to
   * this one: that is so only for a machine's own. For datagrams, since a connection tells of itself where it leads.
   */
  async refuseBindable(address: TcpAddress): Promise<void> {
    this.refuse(address);
    if (this.#known.size === 0 && await this.#isBindable(address.host)) throw prohibited(address);
  }

  /** What fails for another reason than that the address is not here is not let pass unjudged. */
  async #isBindable(host: string): Promise<boolean> {
    try {
      const socket = await this.#runtime.openDatagrams({ address: { host, port: 0 }, onDatagram() {} });
      socket.close();
      return true;
    } catch (error) {
      return (error as { code?: unknown }).code !== "address_unavailable";
    }
  }
}

function prohibited(address: TcpAddress): Fault {
  return new Fault("destination_ip_prohibited", `${formatAuthority(address)} is prohibited: this machine`);
}

function key(host: string): string {
  return unmapped(parseIp(host) ?? new Uint8Array()).join();
}
