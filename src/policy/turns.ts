/**
 * A fair order for those who wait: a client that asks often does not hold up the others.
 *
 * @module
 */

/** How many keys are remembered with their last turn, and how many as preferred. */
const MAX_KEYS = 10_000;

/** When each key (a source, a name) had its last turn. If there are too many keys, the oldest turn is forgotten. */
export class Turns {
  readonly #last = new Map<string, number>();
  /** Kept apart, so that many strangers cannot push out a preferred key. */
  readonly #preferred = new Set<string>();
  #count = 0;

  /** Notes that a key has a turn now. The key is no longer preferred. */
  note(key: string): void {
    this.forget(key);
    this.#last.set(key, ++this.#count);
    if (this.#last.size > MAX_KEYS) this.#last.delete(this.#last.keys().next().value!);
  }

  /** Forgets the turns of a key, and that it is preferred. */
  forget(key: string): void {
    this.#last.delete(key);
    this.#preferred.delete(key);
  }

  /** Forgets the turns of a key. Until its next turn, the key comes before all keys that are not preferred. */
  prefer(key: string): void {
    this.forget(key);
    this.#preferred.add(key);
    if (this.#preferred.size > MAX_KEYS) this.#preferred.delete(this.#preferred.keys().next().value!);
  }

  /** Whether a key is preferred. */
  prefers(key: string): boolean {
    return this.#preferred.has(key);
  }

  /** The number of a key's last turn: later turns have higher numbers. 0 if no turn is remembered. */
  last(key: string): number {
    return this.#last.get(key) ?? 0;
  }
}

interface Waiter {
  readonly go: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** Those who wait with the same keys, the latest last. */
interface Group {
  readonly keys: readonly string[];
  readonly waiters: Waiter[];
}

/** What ends a wait early. */
export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** Called at once when the signal ends the wait. */
  readonly onAbandoned?: () => void;
}

/**
 * A line that is fair by keys. First come those with a preferred key, then those whose keys had no turn lately, then
 * those whose latest turn is longest ago. Among equals the newest comes first. If the oldest came first, everybody
 * would wait until it is too late under a flood. Here a newcomer waits for one turn.
 */
export class Line {
  readonly #turns: Turns;
  /** Keys → group. The group that somebody joined last is at the end. */
  readonly #groups = new Map<string, Group>();
  #size = 0;

  /** Orders by `turns`. The caller has to note each turn there. */
  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Settles when the turn has come. Rejects with the signal's reason, or with the reason of {@link Line.dismiss}. */
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

  /** Lets the first one go whose keys pass `may`, and returns these keys. Undefined: nobody could go. */
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

  /** Below 0 if `a` comes before `b`. */
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
