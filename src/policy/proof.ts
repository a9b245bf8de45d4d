/**
 * What a connection remembers of a login.
 *
 * @module
 */

import { digestOf } from "./digest.ts";

/**
 * Shows that a client has logged in on its connection, so that the same words need no second judgement. It holds until a
 * reload replaces the users. It keeps a digest, which takes 0.4 to 2 us for each request, and not the words: a connection
 * may be idle for minutes, and its password would be in memory in clear text all that time. Digests are compared as any
 * text is: nobody knows which words have which digest, so the time tells nothing.
 */
export class Proof {
  /** The user who has logged in; undefined if a token has no name. */
  readonly user: string | undefined;
  readonly #judges: object;
  readonly #digest: string;

  /** `judges` are the users or tokens that have accepted these words. */
  constructor(
    words: string,
    { user, judges }: { readonly user: string | undefined; readonly judges: object },
  ) {
    this.user = user;
    this.#judges = judges;
    this.#digest = digestOf(words);
  }

  /** Whether the same words came again, and the same users or tokens are in force. */
  holds(words: string, judges: object | undefined): boolean {
    return judges === this.#judges && digestOf(words) === this.#digest;
  }
}
