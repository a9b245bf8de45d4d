/**
 * Passwords as a users file keeps them.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { bcryptFault, loadBcrypt, verifyBcrypt } from "./bcrypt.ts";
import { hashScrypt, readScrypt, verifyScrypt } from "./scrypt.ts";

/** A way to hash passwords that a users file may have. */
interface Scheme {
  /** How its hashes begin. */
  readonly begins: RegExp;
  /** What is wrong with a hash, in a few words; undefined if nothing is. */
  readonly fault: (text: string) => string | undefined;
  /** Whether a password has this hash. */
  readonly verify: (text: string, password: string) => Promise<boolean>;
  /** Loads what it needs. */
  readonly load?: () => Promise<void>;
}

const SCHEMES: Readonly<Record<PasswordHash["scheme"], Scheme>> = {
  scrypt: {
    begins: /^\$scrypt\$/,
    fault(text) {
      const read = readScrypt(text);
      return typeof read === "string" ? read : undefined;
    },
    verify: verifyScrypt,
  },
  bcrypt: { begins: /^\$2[aby]\$/, fault: bcryptFault, verify: verifyBcrypt, load: loadBcrypt },
};

/** The hash of a password. */
export interface PasswordHash {
  /** How it was made. */
  readonly scheme: "scrypt" | "bcrypt";
  /** The hash with its salt and parameters, as the file has it. */
  readonly text: string;
}

/** Hashes of other programs, by their first characters (crypt(5), htpasswd(1)). */
const FOREIGN: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^\$2x?\$/, "bcrypt of a faulty version"],
  [/^\$apr1\$/, "Apache's MD5"],
  [/^\$1\$/, "MD5 crypt"],
  [/^\$5\$/, "SHA-256 crypt"],
  [/^\$6\$/, "SHA-512 crypt"],
  [/^\$g?y\$/, "yescrypt"],
  [/^\$7\$/, "scrypt crypt"],
  [/^\$argon2/, "Argon2"],
  [/^\$pbkdf2/, "PBKDF2"],
  [/^\{SHA\}/i, "SHA-1"],
  [/^\{SSHA\}/i, "salted SHA-1"],
  [/^[./0-9A-Za-z]{13}$/, "DES crypt, or clear text"],
];

const ADVICE = 'make the entry with "sluice passwd NAME"';

/**
 * Hashes a password for a users file by scrypt, with a new salt. What it gives stands behind `NAME:` in a line of the
 * file.
 *
 * @example
 * ```ts
 * const entry = `ann:${await hashPassword("secret")}`;
 * entry.startsWith("ann:$scrypt$"); // true
 * ```
 */
export function hashPassword(password: string): Promise<string> {
  return hashScrypt(password);
}

/**
 * Reads what {@linkcode hashPassword} has written, or bcrypt as `htpasswd -B` writes it.
 *
 * @throws {UsageError} If the text is not such a hash, or asks for too much memory or work. The message does not quote
 * the text: it may be a password in clear text.
 */
export function parseHash(text: string): PasswordHash {
  const found = Object.entries(SCHEMES).find(([, { begins }]) => begins.test(text));
  if (!found) {
    const format = FOREIGN.find(([pattern]) => pattern.test(text))?.[1] ?? "clear text or an unknown format";
    throw new UsageError(
      `Cannot use this password: it is ${format}, and scrypt or bcrypt is needed; ${ADVICE}, or with "htpasswd -B"`,
    );
  }
  const [scheme, { fault }] = found;
  const wrong = fault(text);
  if (wrong !== undefined) throw new UsageError(`Cannot use this password: ${wrong}; ${ADVICE}`);
  return { scheme: scheme as PasswordHash["scheme"], text };
}

/** Loads what the schemes of some hashes need. Rejects with a `UsageError` if that is missing. */
export async function loadSchemes(hashes: Iterable<PasswordHash>): Promise<void> {
  const schemes = new Set(Array.from(hashes, ({ scheme }) => scheme));
  for (const scheme of schemes) await SCHEMES[scheme].load?.();
}

/** Whether a password has this hash. That takes long by design. */
export function verifyHash({ scheme, text }: PasswordHash, password: string): Promise<boolean> {
  return SCHEMES[scheme].verify(text, password);
}
