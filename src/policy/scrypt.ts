/**
 * Passwords hashed with scrypt (RFC 7914), in the PHC string format.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** What a hash has besides the password. */
export interface Scrypt {
  /** The binary logarithm of scrypt's cost N. */
  readonly ln: number;
  /** scrypt's block size. A run takes 128 · N · r bytes of memory. */
  readonly r: number;
  /** scrypt's parallelization. It multiplies the work, but not the memory. */
  readonly p: number;
  /** Random bytes that make the hashes of equal passwords differ. */
  readonly salt: Uint8Array;
  /** The output of scrypt. */
  readonly hash: Uint8Array;
}

/** One of the equally strong sets in OWASP's Password Storage Cheat Sheet: 32 MiB, some 0.3 s of one core. */
const PARAMETERS = { ln: 15, r: 8, p: 3 } as const;

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** A file cannot ask for more memory than 128 MiB, as in OWASP's first choice (ln=17, r=8). */
const MAX_MEMORY = 128 * 1024 * 1024;

/** A file cannot ask for more than twice the work of OWASP's first choice, counted as N · r · p. */
const MAX_WORK = 2 ** 21;

/** `$scrypt$ln=15,r=8,p=3$SALT$HASH`, numbers without leading zeros, base64 without padding. */
const PHC = /^\$scrypt\$ln=([1-9]\d?),r=([1-9]\d{0,3}),p=([1-9]\d{0,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Hashes a password with a new salt. */
export async function hashScrypt(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { ...PARAMETERS, salt }, HASH_BYTES);
  const { ln, r, p } = PARAMETERS;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encode(salt)}$${encode(hash)}`;
}

/** Reads a hash. What it returns is what is wrong with it. */
export function readScrypt(text: string): Scrypt | string {
  const [, ln, r, p, salt, hash] = PHC.exec(text) ?? [];
  const parsed = hash === undefined
    ? undefined
    : { ln: Number(ln), r: Number(r), p: Number(p), salt: decode(salt), hash: decode(hash) };
  if (!parsed?.salt || !parsed.hash || !isLength(parsed.salt, 8) || !isLength(parsed.hash, 32)) {
    return "its scrypt hash is damaged";
  }
  const work = 2 ** parsed.ln * parsed.r * parsed.p;
  if (parsed.ln < 10 || parsed.r < 8 || 128 * 2 ** parsed.ln * parsed.r > MAX_MEMORY || work > MAX_WORK) {
    return `ln=${ln},r=${r},p=${p} is too weak, or takes more than 128 MiB or too long`;
  }
  return { ...parsed, salt: parsed.salt, hash: parsed.hash };
}

function isLength(bytes: Uint8Array, least: number): boolean {
  return bytes.length >= least && bytes.length <= 64;
}

/** Whether a password has this hash. scrypt takes time and memory, on a thread beside the event loop. */
export async function verifyScrypt(text: string, password: string): Promise<boolean> {
  const known = readScrypt(text);
  if (typeof known === "string") return false;
  return timingSafeEqual(await derive(password, known, known.hash.length), known.hash);
}

function derive(
  password: string,
  { ln, r, p, salt }: Omit<Scrypt, "hash">,
  length: number,
): Promise<Uint8Array> {
  const N = 2 ** ln;
  // OpenSSL counts 128 · r · (N + p + 2) bytes. Its default bound is just too small for N = 2 ** 15, r = 8.
  const maxmem = 128 * r * (N + p + 2) + 1024;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, { N, r, p, maxmem }, (error, key) => error ? reject(error) : resolve(key));
  });
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replace(/=+$/, "");
}

/** Decodes base64. Undefined if `encode` writes these bytes otherwise: node:buffer accepts other spellings, too. */
function decode(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64");
  return encode(bytes) === text ? bytes : undefined;
}
