/**
 * The addresses of this machine: to strangers they are no targets, whatever block they are from.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { Fault } from "../faults.ts";
import { formatAuthority, parseIp, unmapped } from "../protocols/host.ts";
import type { Runtime, TcpAddress } from "../runtime.ts";

/** How long the list is good for, in milliseconds: interfaces come and go, seldom. */
const LIFETIME = 10_000;

/** Knows this machine's addresses, as far as the runtime may tell them. */
export class OwnAddresses {
  readonly #runtime: Pick<Runtime, "ownAddresses">;
  readonly #clock: Clock;
  #known: ReadonlySet<string> = new Set();
  #expires = -Infinity;

  /** Asks nobody yet. */
  constructor({ runtime, clock }: { runtime: Pick<Runtime, "ownAddresses">; clock: Clock }) {
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
    if (!this.#known.has(key(address.host))) return;
    throw new Fault("destination_ip_prohibited", `${formatAuthority(address)} is prohibited: this machine`);
  }
}

function key(host: string): string {
  return unmapped(parseIp(host) ?? new Uint8Array()).join();
}
