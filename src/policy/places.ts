/**
 * How many connections each client has at once.
 *
 * @module
 */

/**
 * Counts the connections of each source: an IPv4 address, or the /64 of an IPv6 address. Several proxies that share one count
 * together.
 */
export interface Places {
  /** Takes a place; false if none is left. The answer may be a promise, for example from another process. */
  take(source: string): boolean | Promise<boolean>;
  /** Gives a place back. Called once for each place that was taken. */
  give(source: string): void;
}

/** Counts the connections in this process. Its memory grows with the open connections. */
export class CountedPlaces implements Places {
  /** The most places of each source. A lower limit takes no place away. */
  limit: number;
  readonly #taken = new Map<string, number>();

  /** See {@linkcode CountedPlaces.limit}. */
  constructor(limit: number) {
    this.limit = limit;
  }

  take(source: string): boolean {
    const taken = this.#taken.get(source) ?? 0;
    if (taken >= this.limit) return false;
    this.#taken.set(source, taken + 1);
    return true;
  }

  give(source: string): void {
    const left = (this.#taken.get(source) ?? 0) - 1;
    if (left > 0) this.#taken.set(source, left);
    else this.#taken.delete(source);
  }

  /** Gives all taken places back to another count, for a worker that has ended. */
  moveTo(other: Places): void {
    for (const [source, count] of this.#taken) for (let left = count; left > 0; left--) other.give(source);
    this.#taken.clear();
  }
}
