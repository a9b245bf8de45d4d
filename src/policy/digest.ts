/**
 * Digests under which names and passwords are compared and remembered, so that nobody keeps them in clear text.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { hash, randomBytes } from "node:crypto";

/** Random, so that nobody can choose secrets by their digests. */
const KEY = randomBytes(32).toString("hex");

/**
 * The digest of a secret in this process. The key before the text, and not an HMAC, because nobody sees the digest and
 * could go on from it; `createHmac` takes 5 to 30 times as long.
 */
export function digestOf(secret: string): Buffer {
  return hash("sha256", KEY + secret, "buffer");
}
