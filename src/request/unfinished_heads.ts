/**
 * What all clients together hold in heads that are not complete: no more than a budget, whoever they are.
 *
 * One client is held to the limit of a head. Thousands of them, each with a head that never ends, would take the memory
 * of everybody before any password is asked for; a head that arrives whole is never looked at here.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import type { Cuttable } from "../traffic/watch.ts";

/** What the budget works with. */
export interface UnfinishedHeadsOptions {
  readonly clock: Pick<Clock, "now">;
  readonly log: Pick<Log, "warn">;
  /** The most octets of buffers. */
  readonly budget: number;
}

/** While heads are let go, the log says so no more often than this, in milliseconds. */
const LOG_INTERVAL = 60_000;

/** Who waits for the rest of a head, in the order in which they began, and the memory that each of them has for it. */
export class UnfinishedHeads {
  readonly #options: UnfinishedHeadsOptions;
  readonly #held = new Map<Cuttable, number>();
  #total = 0;
  #letGo = 0;
  #loggedAt = -Infinity;

  /** Holds nothing yet. */
  constructor(options: UnfinishedHeadsOptions) {
    this.#options = options;
  }

  /**
   * Counts what a client holds by now, and lets the oldest go while that is too much for all together. Throws the fault
   * where the client is the oldest itself.
   */
  hold(client: Cuttable, octets: number): void {
    this.#total += octets - (this.#held.get(client) ?? 0);
    this.#held.set(client, octets);
    while (this.#total > this.#options.budget) {
      const [oldest] = this.#held.keys();
      this.release(oldest);
      this.#tell();
      const fault = new Fault(
        "connection_limit_reached",
        "Too much is held in unfinished heads: the oldest goes",
      );
      if (oldest === client) throw fault;
      oldest.cut(fault);
    }
  }

  /** The client has finished its head, or is gone. */
  release(client: Cuttable): void {
    this.#total -= this.#held.get(client) ?? 0;
    this.#held.delete(client);
  }

  #tell(): void {
    const { clock, log, budget } = this.#options;
    this.#letGo++;
    if (clock.now() - this.#loggedAt < LOG_INTERVAL) return;
    log.warn(
      `Clients hold ${budget} bytes in unfinished heads: ${this.#letGo} of the oldest were let go since the last such line`,
    );
    this.#loggedAt = clock.now();
    this.#letGo = 0;
  }
}
