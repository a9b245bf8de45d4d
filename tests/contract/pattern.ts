/**
 * Bytes that both ends of a connection can make for themselves, so that they have to compare only a hash.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";

/** An endless, repeatable sequence of bytes (xorshift32). It counts and hashes the bytes that it has returned. */
export class Pattern {
  #state = 0x9e3779b9;
  #tally = new Tally();

  /** The count and the hash of the bytes so far. */
  get tally(): Tally {
    return this.#tally;
  }

  /** The next `length` bytes. The length must be a multiple of 4, except for the last piece. */
  next(length: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(length / 4));
    let state = this.#state;
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    this.#state = state;
    const bytes = new Uint8Array(words.buffer, 0, length);
    this.#tally.add(bytes);
    return bytes;
  }
}

/** Counts and hashes bytes. */
export class Tally {
  #hash: Hash = createHash("sha256");
  bytes = 0;

  add(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#hash.update(bytes);
  }

  /** The count and the SHA-256 of all bytes so far. */
  result(): { bytes: number; hash: string } {
    return { bytes: this.bytes, hash: this.#hash.copy().digest("hex") };
  }
}
