/**
 * Asks a store: at once if it is in this process, and otherwise with all questions of a moment in one message.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { MemoryStore } from "./memory_store.ts";
import type { Ask, Grant, LimitStore } from "./store.ts";

/** Whoever needs tokens asks here. */
export interface Desk {
  readonly clock: Clock;
  /** Whether the store is elsewhere, so that tokens are taken in advance. */
  readonly far: boolean;
  ask(ask: Ask): Grant | Promise<Grant>;
}

/** For a store in this process. */
export class NearDesk implements Desk {
  readonly far = false;
  readonly clock: Clock;
  readonly #store: MemoryStore;

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store;
    this.clock = clock;
  }

  ask(ask: Ask): Grant {
    return this.#store.one(ask);
  }
}

/** A question that waits to be sent. */
interface Waiting {
  readonly ask: Ask;
  readonly resolve: (grant: Grant) => void;
  readonly reject: (error: unknown) => void;
}

/** For a store elsewhere. */
export class FarDesk implements Desk {
  readonly far = true;
  readonly clock: Clock;
  readonly #store: LimitStore;
  readonly #asker: string;
  #waiting: Waiting[] = [];

  /** `asker` is this process. */
  constructor(store: LimitStore, { clock, asker }: { readonly clock: Clock; readonly asker: string }) {
    this.#store = store;
    this.clock = clock;
    this.#asker = asker;
  }

  ask(ask: Ask): Promise<Grant> {
    if (this.#waiting.length === 0) queueMicrotask(() => this.#send());
    return new Promise((resolve, reject) => this.#waiting.push({ ask, resolve, reject }));
  }

  async #send(): Promise<void> {
    const sent = this.#waiting;
    this.#waiting = [];
    try {
      const grants = await this.#store.ask(sent.map(({ ask }) => ask), this.#asker);
      sent.forEach(({ resolve }, i) => resolve(grants[i]));
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }
}
