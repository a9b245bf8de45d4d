/**
 * Who may use the proxy: names and passwords, the same on every protocol.
 *
 * @module
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { UsageError } from "../usage_error.ts";

interface User {
  readonly name: Uint8Array;
  readonly password: Uint8Array;
}

/**
 * Compares credentials without telling, by the time it takes, how much of them is right: digests of one length are
 * compared, all of them, whether the name is known or not.
 *
 * @example
 * ```ts
 * const users = new Users(["ann:secret"]);
 * users.verify({ user: "ann", password: "secret" }); // true
 * ```
 */
export class Users {
  /** Keyed anew in each process, so that nobody can choose credentials by their digests. */
  readonly #key = randomBytes(32);
  readonly #users: readonly User[];

  /** Takes entries of the form `NAME:PASSWORD`; a password may have colons. Throws a `UsageError` that quotes no password. */
  constructor(entries: readonly string[]) {
    const names = new Set<string>();
    this.#users = entries.map((entry) => {
      const { user, password } = parseUser(entry);
      if (names.has(user)) throw new UsageError(`The user "${user}" is given twice`);
      names.add(user);
      return { name: this.#digest(user), password: this.#digest(password) };
    });
  }

  /** Whether there is such a user with such a password. */
  verify({ user, password }: { readonly user: string; readonly password: string }): boolean {
    const name = this.#digest(user);
    const secret = this.#digest(password);
    let found = 0;
    for (const known of this.#users) {
      found |= Number(timingSafeEqual(name, known.name)) & Number(timingSafeEqual(secret, known.password));
    }
    return found === 1;
  }

  #digest(text: string): Uint8Array {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

/** Reads `NAME:PASSWORD`. What RFC 7617 section 2 and RFC 1929 section 2 cannot both carry is refused. */
export function parseUser(entry: string): { user: string; password: string } {
  const colon = entry.indexOf(":");
  const user = entry.slice(0, Math.max(colon, 0));
  const password = entry.slice(colon + 1);
  if (user === "" || password === "") {
    throw new UsageError("Invalid user: give a name and a password, NAME:PASSWORD");
  }
  if (/\p{Cc}/u.test(entry)) throw new UsageError("Invalid user: leave control characters out");
  const longest = Math.max(...[user, password].map((text) => new TextEncoder().encode(text).length));
  if (longest > 255) {
    throw new UsageError("Invalid user: SOCKS5 carries names and passwords of up to 255 bytes");
  }
  return { user, password };
}
