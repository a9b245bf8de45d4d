/**
 * Digests under which names and passwords are compared and remembered, so that nobody keeps them in clear text.
 *
 * @module
 */

import { hash, randomBytes } from "node:crypto";

/** Random, so that nobody can choose secrets by their digests. */
const KEY = randomBytes(32).toString("hex");

/**
 * The digest of a secret in this process, in hexadecimal, which Deno makes in half the time of octets. The key stands
 * before the text, and this is no HMAC: nobody sees a digest and could go on from it, and `createHmac` takes 3 to 30 times
 * as long.
 */
export function digestOf(secret: string): string {
  return hash("sha256", KEY + secret);
}
