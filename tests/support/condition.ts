/**
 * Waits for something that a test can only watch, with a limit, and reports what came instead.
 *
 * @module
 */

/** How long a test waits for anything, in milliseconds. Only a failing test waits that long. */
export const PATIENCE = 30_000;

/** Something that changes now and then. It is looked at after each change. */
export class Condition {
  #waiters: (() => void)[] = [];

  /** Call this after a change. */
  notify(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /**
   * Calls `look` now and after every change, until it returns a value. Rejects with the error that `look` throws, or
   * after {@linkcode PATIENCE} with the text of `describe`.
   */
  async until<T>(look: () => T | undefined, describe: () => string): Promise<T> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.notify();
    }, PATIENCE);
    try {
      while (true) {
        const found = look();
        if (found !== undefined) return found;
        if (late) throw new Error(describe());
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A queue of things that arrive one after the other. */
export class Arrivals<T> {
  readonly #items: T[] = [];
  readonly #condition = new Condition();
  readonly #what: string;
  #taken = 0;

  /** `what` names the things in errors. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Everything that has arrived. */
  get all(): readonly T[] {
    return this.#items;
  }

  /** Adds one. */
  push(item: T): void {
    this.#items.push(item);
    this.#condition.notify();
  }

  /** The next one that was not taken yet. */
  next(): Promise<T> {
    const index = this.#taken++;
    return this.#condition.until(() => this.#items[index], () => `Waited for ${this.#what} and none came`);
  }

  /** The first of all, taken or not, that `wanted` accepts. */
  find(wanted: (item: T) => boolean): Promise<T> {
    return this.#condition.until(
      () => this.#items.find(wanted),
      () => `Waited for ${this.#what} as ${wanted}, and these came: ${this.#items.map(String).join("\n")}`,
    );
  }
}
