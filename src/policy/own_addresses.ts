/**
 * The addresses of this machine. Strangers must not reach them, whatever block they are in.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import { formatAuthority, parseIp, unmapped } from "../addresses/host.ts";
import type { Runtime, TcpAddress } from "../runtime/contract.ts";

/** How long the list is kept, in milliseconds: interfaces change, but rarely. */
const LIFETIME = 10_000;

type Source = Pick<Runtime, "ownAddresses" | "openDatagrams">;

/** Knows this machine's addresses, if the runtime may read them. */
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

  /** Throws `destination_ip_prohibited` for an address of this machine, however it is spelled. */
  refuse(address: TcpAddress): void {
    const now = this.#clock.now();
    if (now >= this.#expires) {
      this.#known = new Set(this.#runtime.ownAddresses().map(key));
      this.#expires = now + LIFETIME;
    }
    if (this.#known.has(key(address.host))) throw prohibited(address);
  }

  /**
   * Rejects if {@linkcode refuse} throws. If the runtime may not read the addresses, it tries to bind a socket: this works
   * only for a machine's own address. Only datagrams need this, because an open connection shows its own two addresses.
   */
  async refuseBindable(address: TcpAddress): Promise<void> {
    this.refuse(address);
    if (this.#known.size === 0 && await this.#isBindable(address.host)) throw prohibited(address);
  }

  /** Only one failure means that the address is not ours. After any other it counts as ours, to be safe. */
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
