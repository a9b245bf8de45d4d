/**
 * Connections to upstreams that are opened in advance, with their TLS handshakes, so that a new tunnel costs one
 * round trip and not three.
 *
 * @module
 */

import type { Channel } from "../streams/channel.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Deadlines } from "../runtime/deadlines.ts";
import type { Address } from "../runtime/contract.ts";
import { OriginPool } from "./pool.ts";
import type { Upstream } from "./upstream.ts";

/** A connection that has only made its TLS handshake. */
export interface Spare {
  readonly channel: Channel;
  readonly address: Address;
}

/** How many spares are kept ready for one upstream. */
const SPARES = 4;

/** How long after its last use an upstream still gets spares, in milliseconds. */
const USE = 30_000;

/** How often spares are replaced, in milliseconds. The pool drops those that have waited for 4 s. */
const CARE = 2_000;

/** Keeps spares for the upstreams that were used recently. */
export class Reserve {
  readonly #clock: Clock;
  readonly #pool: OriginPool<Spare>;
  readonly #lastUse = new Map<string, number>();
  readonly #opening = new Map<string, number>();
  /** Upstreams that could not be opened, and until when to leave them alone. */
  readonly #pauses = new Map<string, number>();
  #over = false;

  /** `deadlines` watches the expiry. */
  constructor({ clock, deadlines }: { readonly clock: Clock; readonly deadlines: Deadlines }) {
    this.#clock = clock;
    this.#pool = new OriginPool({ clock, deadlines });
  }

  /**
   * A spare for the upstream, if there is one. `open` makes further ones; it is called now and for a while afterwards.
   */
  take(upstream: Upstream, open: () => Promise<Spare>): Spare | undefined {
    const key = JSON.stringify(upstream);
    const isTended = this.#lastUse.has(key);
    this.#lastUse.set(key, this.#clock.now());
    const spare = this.#pool.take(key);
    if (isTended) this.#fill(key, open);
    else this.#tend(key, open);
    return spare;
  }

  #tend(key: string, open: () => Promise<Spare>): void {
    if (this.#over) return;
    if (this.#clock.now() - this.#lastUse.get(key)! > USE) {
      this.#lastUse.delete(key);
      this.#pauses.delete(key);
      return;
    }
    this.#fill(key, open);
    this.#clock.schedule(CARE, () => this.#tend(key, open));
  }

  #fill(key: string, open: () => Promise<Spare>): void {
    if (this.#clock.now() < (this.#pauses.get(key) ?? -Infinity)) return;
    const opening = this.#opening.get(key) ?? 0;
    for (let i = this.#pool.count(key) + opening; i < SPARES; i++) this.#open(key, open);
  }

  async #open(key: string, open: () => Promise<Spare>): Promise<void> {
    this.#opening.set(key, (this.#opening.get(key) ?? 0) + 1);
    try {
      const spare = await open();
      this.#pool.put(key, spare);
      if (this.#over) this.#pool.clear();
    } catch {
      // The next request that dials this upstream reports what is wrong with it.
      this.#pauses.set(key, this.#clock.now() + CARE);
    } finally {
      this.#opening.set(key, this.#opening.get(key)! - 1);
    }
  }

  /** Drops all spares, and makes no more. */
  close(): void {
    this.#over = true;
    this.#pool.clear();
  }
}
