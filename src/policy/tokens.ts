/**
 * Bearer tokens: who has one may use the proxy (RFC 6750 section 2.1).
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { UsageError } from "../text/usage_error.ts";

/** RFC 6750 section 2.1, and 256 bits of randomness in base64url at least. */
const TOKEN = /^[A-Za-z0-9._~+/-]{43,512}=*$/;

/** Several at once, so that one can be replaced by another while clients still have both. */
export class Tokens {
  readonly #digests: readonly Uint8Array[];

  /** @throws {UsageError} If there is none, or one is too short to be safe; it quotes none. */
  constructor(tokens: readonly string[]) {
    if (tokens.length === 0) throw new UsageError('There is no token: make one with "sluice keygen"');
    if (!tokens.every((token) => TOKEN.test(token))) {
      throw new UsageError(
        'Invalid token: it needs 43 characters at least, of those of base64; make one with "sluice keygen"',
      );
    }
    this.#digests = tokens.map(digest);
  }

  /** Whether it is one of them. Digests of one length are compared, all of them, whatever they are. */
  verify(token: string): boolean {
    const given = digest(token);
    let found = 0;
    for (const known of this.#digests) found |= Number(timingSafeEqual(given, known));
    return found === 1;
  }
}

/** Reads a file of tokens, one a line; a `#` begins a comment. */
export function parseTokens(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
}

function digest(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
