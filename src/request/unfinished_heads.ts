/**
 * The budget for heads that are not complete, shared by all clients.
 *
 * Each client is held to the limit of one head. Thousands of clients that never finish their heads would still fill the
 * memory, before any of them is asked for a password. A head that arrives whole is never counted here.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import type { Cuttable } from "../traffic/watch.ts";

/** What the budget uses. */
export interface UnfinishedHeadsOptions {
  readonly clock: Pick<Clock, "now">;
  readonly log: Pick<Log, "warn">;
  /** The most octets of buffers that all clients together may hold. */
  readonly budget: number;
}

/** While clients are cut off, the log says so at most once in this time, in milliseconds. */
const LOG_INTERVAL = 60_000;

/** The clients whose heads are unfinished, oldest first, and the memory that each of them holds. */
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
   * Counts what a client holds now. While the total is over the budget, cuts the oldest client off. If that is this
   * client, throws the fault.
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
