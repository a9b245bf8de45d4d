/**
 * Whose turn it is, where many wait for little: nobody who asks often keeps others from theirs.
 *
 * @module
 */

/** Of how many keys it is remembered when they had a turn, and of how many that they are preferred. */
const MAX_KEYS = 10_000;

/** When each key (a source, a name) had its last turn. The ones longest ago are forgotten when there are too many. */
export class Turns {
  readonly #last = new Map<string, number>();
  /** Kept apart, so that many strangers push out no key that is preferred. */
  readonly #preferred = new Set<string>();
  #count = 0;

  /** A key has a turn now. It is preferred no longer. */
  note(key: string): void {
    this.forget(key);
    this.#last.set(key, ++this.#count);
    if (this.#last.size > MAX_KEYS) this.#last.delete(this.#last.keys().next().value!);
  }

  /** The turns of a key do not count. */
  forget(key: string): void {
    this.#last.delete(key);
    this.#preferred.delete(key);
  }

  /** The turns of a key do not count, and until its next one it comes before all keys that are not preferred. */
  prefer(key: string): void {
    this.forget(key);
    this.#preferred.add(key);
    if (this.#preferred.size > MAX_KEYS) this.#preferred.delete(this.#preferred.keys().next().value!);
  }

  /** Whether it comes before others. */
  prefers(key: string): boolean {
    return this.#preferred.has(key);
  }

  /** A number that is higher the later the last turn was; 0 where none is remembered. */
  last(key: string): number {
    return this.#last.get(key) ?? 0;
  }
}

interface Waiter {
  readonly go: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** Those who wait under the same keys, the latest at the end. */
interface Group {
  readonly keys: readonly string[];
  readonly waiters: Waiter[];
}

/** How somebody waits. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Called at once when the signal has ended the wait. */
  readonly onAbandoned?: () => void;
}

/**
 * A line that is fair by keys. First come those with a key that is preferred, then those who have no key that had a turn
 * lately, then those whose latest turn is longest ago. Among equals the latest comes first: under a flood a line in order has everybody wait until it is too
 * late, and this one has a newcomer wait for one turn.
 */
export class Line {
  readonly #turns: Turns;
  /** By their keys, the group that somebody joined last at the end. */
  readonly #groups = new Map<string, Group>();
  #size = 0;

  /** Goes by these turns, which the owner notes. */
  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Settles when it is one's turn. Rejects with the signal's reason, and with that of {@link Line.dismiss}. */
  wait(keys: readonly string[], { signal, onAbandoned }: WaitOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const id = keys.join("\n");
      const abandon = () => {
        this.#remove(id, waiter);
        onAbandoned?.();
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        go: () => {
          signal?.removeEventListener("abort", abandon);
          resolve();
        },
        refuse: (reason) => {
          signal?.removeEventListener("abort", abandon);
          reject(reason);
        },
      };
      signal?.addEventListener("abort", abandon, { once: true });
      const group = this.#groups.get(id) ?? { keys, waiters: [] };
      group.waiters.push(waiter);
      this.#groups.delete(id);
      this.#groups.set(id, group);
      this.#size++;
    });
  }

  /** Lets the one go whose turn it is, of those whose keys may have one, and tells its keys. */
  next(may: (keys: readonly string[]) => boolean = () => true): readonly string[] | undefined {
    let first: Group | undefined;
    for (const group of this.#groups.values()) {
      if (may(group.keys) && (!first || this.#compare(group, first) <= 0)) first = group;
    }
    if (!first) return undefined;
    const waiter = first.waiters.at(-1)!;
    this.#remove(first.keys.join("\n"), waiter);
    waiter.go();
    return first.keys;
  }

  /** Refuses the one whose turn would come last. */
  dismiss(reason: unknown): void {
    let last: Group | undefined;
    for (const group of this.#groups.values()) if (!last || this.#compare(group, last) > 0) last = group;
    if (!last) return;
    const [waiter] = last.waiters;
    this.#remove(last.keys.join("\n"), waiter);
    waiter.refuse(reason);
  }

  #remove(id: string, waiter: Waiter): void {
    const group = this.#groups.get(id);
    const index = group?.waiters.indexOf(waiter) ?? -1;
    if (!group || index < 0) return;
    group.waiters.splice(index, 1);
    if (group.waiters.length === 0) this.#groups.delete(id);
    this.#size--;
  }

  /** Below 0 where the first comes before the second. */
  #compare(a: Group, b: Group): number {
    const [ofA, ofB] = [this.#rank(a), this.#rank(b)];
    const index = ofA.findIndex((last, at) => last !== ofB[at]);
    return index < 0 ? 0 : ofA[index] - ofB[index];
  }

  #rank({ keys }: Group): number[] {
    const turns = keys.map((key) => this.#turns.last(key)).sort((a, b) => b - a);
    return keys.some((key) => this.#turns.prefers(key)) ? [-1, ...turns] : turns;
  }
}
