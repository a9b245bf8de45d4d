/**
 * Bearer tokens: a client that has one may use the proxy (RFC 6750 section 2.1).
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { UsageError } from "../text/usage_error.ts";

/** The syntax of RFC 6750 section 2.1, with room for at least 256 random bits in base64url. */
const TOKEN = /^[A-Za-z0-9._~+/-]{43,512}=*$/;

/** There may be several tokens, so that a new one can work before the old one goes. */
export class Tokens {
  readonly #digests: readonly Uint8Array[];

  /** @throws {UsageError} If there is no token, or one is too short to be safe. The message quotes no token. */
  constructor(tokens: readonly string[]) {
    if (tokens.length === 0) throw new UsageError('There is no token: make one with "sluice keygen"');
    if (!tokens.every((token) => TOKEN.test(token))) {
      throw new UsageError(
        'Invalid token: it needs 43 characters at least, of those of base64; make one with "sluice keygen"',
      );
    }
    this.#digests = tokens.map(digest);
  }

  /** Whether a token is one of them. It always compares all digests, which have one length. */
  verify(token: string): boolean {
    const given = digest(token);
    let found = 0;
    for (const known of this.#digests) found |= Number(timingSafeEqual(given, known));
    return found === 1;
  }
}

/** Reads a file of tokens, one to a line. A `#` begins a comment. */
export function parseTokens(text: string): string[] {
  return text.split(/\r?\n/).map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
}

function digest(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
