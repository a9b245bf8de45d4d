/**
 * Repeatable randomness for property and fuzz tests.
 *
 * @module
 */

import process from "node:process";

/**
 * The seed of every fuzz test. It is fixed, so that a failure can be repeated; `SLUICE_TEST_SEED` sets another. Tests
 * have it in their names, so it is printed.
 */
export const SEED: number = Number(process.env.SLUICE_TEST_SEED ?? 20260801);

/** How many random inputs each parser gets, and how many changed samples; `FUZZ=1000000` is the long form. */
export const FUZZ_ROUNDS: number = Number(process.env.FUZZ ?? 5_000);

/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  /** Begins a sequence. */
  constructor(seed: number = SEED) {
    this.#state = seed;
  }

  /** A whole number from 0 up to, but not including, `limit`. */
  below(limit: number): number {
    this.#state = this.#state + 0x6D2B79F5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * limit);
  }

  /** One of the items. */
  pick<T>(items: ArrayLike<T>): T {
    return items[this.below(items.length)];
  }

  /** Bytes of any value. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** The same bytes in pieces of random length. */
  split(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (let start = 0; start < bytes.length;) {
      const end = start + 1 + this.below(bytes.length - start);
      pieces.push(bytes.subarray(start, end));
      start = end;
    }
    return pieces;
  }

  /** The bytes with a few changes: some replaced, removed, inserted, doubled or cut off. */
  mutate(bytes: Uint8Array): Uint8Array {
    let mutated = [...bytes];
    for (let changes = 1 + this.below(4); changes > 0; changes--) {
      const at = this.below(mutated.length + 1);
      const length = this.below(8);
      switch (this.below(6)) {
        case 0:
          if (at < mutated.length) mutated[at] ^= 1 << this.below(8);
          break;
        case 1:
          if (at < mutated.length) mutated[at] = this.pick([0, 1, 2, 3, 4, 5, 10, 13, 32, 127, 128, 255]);
          break;
        case 2:
          mutated.splice(at, length);
          break;
        case 3:
          mutated.splice(at, 0, ...this.bytes(length));
          break;
        case 4:
          mutated.splice(at, 0, ...mutated.slice(at, at + length));
          break;
        case 5:
          mutated = mutated.slice(0, at);
          break;
      }
    }
    return Uint8Array.from(mutated);
  }
}

/** Every byte as a piece of its own. They share one memory: to allocate each cost a fuzz test half of its time. */
export function* singly(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
}
