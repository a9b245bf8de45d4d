/**
 * What a connection remembers of a login.
 *
 * @module
 */

import { halfSipHash, type Pair } from "./half_sip_hash.ts";

/** Random, so that nobody can find other words with the same digest. */
const [K0, K1] = crypto.getRandomValues(new Int32Array(2));
const KEY: Pair = [K0, K1];

/**
 * Shows that a client has logged in on its connection, so that the same words need no second judgement. It holds until a
 * reload replaces the users.
 *
 * It keeps a digest and not the words: connections idle for minutes, and a password in clear text should not stay in
 * memory with each of them. The digest has 64 bits and a key that only this process knows. Whoever guesses is right once
 * in 2^64 guesses, and has to do so on a connection whose client is logged in.
 */
export class Proof {
  /** The user who has logged in; undefined if a token has no name. */
  readonly user: string | undefined;
  readonly #judges: object;
  readonly #digest: Pair;

  /** `judges` are the users or tokens that have accepted these words. */
  constructor(
    words: string,
    { user, judges }: { readonly user: string | undefined; readonly judges: object },
  ) {
    this.user = user;
    this.#judges = judges;
    this.#digest = halfSipHash(KEY, words);
  }

  /** Whether the same words came again, and the same users or tokens are in force. The time tells only their length. */
  holds(words: string, judges: object | undefined): boolean {
    if (judges !== this.#judges) return false;
    const [first, second] = halfSipHash(KEY, words);
    return ((first ^ this.#digest[0]) | (second ^ this.#digest[1])) === 0;
  }
}
