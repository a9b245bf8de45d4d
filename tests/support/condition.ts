/**
 * Waiting for what a test can only watch: bounded, and with a word on what came instead.
 *
 * @module
 */

/** How long a test waits for anything, in milliseconds. Only a test that fails ever waits that long. */
export const PATIENCE = 30_000;

/** Something that changes now and then, and is looked at each time it does. */
export class Condition {
  #waiters: (() => void)[] = [];

  /** Says that there is something new to look at. */
  notify(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /**
   * Looks now and at every change, until `look` gives something. Rejects with what `look` throws, and with
   * `describe`'s words once {@linkcode PATIENCE} is at its end.
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

/** Things that come one after the other. */
export class Arrivals<T> {
  readonly #items: T[] = [];
  readonly #condition = new Condition();
  readonly #what: string;
  #taken = 0;

  /** `what` is waited for, in the words of an error. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Everything so far. */
  get all(): readonly T[] {
    return this.#items;
  }

  /** One more is here. */
  push(item: T): void {
    this.#items.push(item);
    this.#condition.notify();
  }

  /** The next one that nobody has taken. */
  next(): Promise<T> {
    const index = this.#taken++;
    return this.#condition.until(() => this.#items[index], () => `Waited for ${this.#what} and none came`);
  }

  /** The first of all that is as wanted. */
  find(wanted: (item: T) => boolean): Promise<T> {
    return this.#condition.until(
      () => this.#items.find(wanted),
      () => `Waited for ${this.#what} as ${wanted}, and these came: ${this.#items.map(String).join("\n")}`,
    );
  }
}
