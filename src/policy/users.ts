/**
 * Who may use the proxy: names and passwords, the same on every protocol.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Fault } from "../faults.ts";
import { UsageError } from "../text/usage_error.ts";
import { type PasswordHash, verifyHash } from "./password_hash.ts";
import { originOf } from "./sources.ts";
import { Line, Turns } from "./turns.ts";

/** A user whose password is known by its hash alone. */
export interface UserEntry {
  /** The user's name. */
  readonly user: string;
  /** The hash of the password. */
  readonly hash: PasswordHash;
}

/** Credentials, and where they come from. */
export interface UserAttempt {
  readonly user: string;
  readonly password: string;
  readonly client?: string;
}

/** How users are verified; tests bring their own. */
export interface UsersOptions {
  /** Whether a hash is that of a password; `verifyHash` by default. */
  readonly verifyHash?: (hash: PasswordHash, password: string) => Promise<boolean>;
}

/** The digests of a name and a password in clear text. */
interface ClearUser {
  readonly name: Uint8Array;
  readonly password: Uint8Array;
}

/** Each run of scrypt takes 32 MiB or more, and a thread of those (four, on Node) that look up names too. */
const MAX_RUNS = 2;

/** Of those who wait for a run, so many; beyond it the one is refused whose turn would come last. */
const MAX_WAITING = 100;

/** How many credentials that were right are remembered. */
const MAX_REMEMBERED = 1_000;

/**
 * Compares credentials without telling, by the time it takes, how much of them is right. Clear passwords: digests of
 * one length are compared, all of them. Hashed passwords: where there is one, whatever is wrong costs one run of
 * scrypt, whether the name is known or not.
 *
 * Users do not change: where a file has, there are to be new ones in their place.
 *
 * @example
 * ```ts
 * const users = new Users(["ann:secret"]);
 * await users.verify({ user: "ann", password: "secret" }); // true
 * ```
 */
export class Users {
  /** Keyed anew in each process, so that nobody can choose credentials by their digests. */
  readonly #key = randomBytes(32);
  readonly #clear: ClearUser[] = [];
  /** By the digest of the name: how long a look-up takes tells nothing of the name. */
  readonly #hashed = new Map<string, PasswordHash>();
  readonly #hashes: readonly PasswordHash[];
  readonly #verifyHash: NonNullable<UsersOptions["verifyHash"]>;
  /** Digests of what was right, the latest last: HTTP clients say it with each request, and scrypt is slow. */
  readonly #remembered = new Set<string>();
  readonly #runs = new Runs();

  /**
   * Takes `NAME:PASSWORD`, in clear text, and entries of a users file.
   *
   * @throws {UsageError} If an entry cannot be used, or a name is given twice; it quotes no password.
   */
  constructor(entries: readonly (string | UserEntry)[], options: UsersOptions = {}) {
    this.#verifyHash = options.verifyHash ?? verifyHash;
    const names = new Set<string>();
    for (const entry of entries) {
      const parsed = typeof entry === "string" ? parseUser(entry) : entry;
      if (names.has(parsed.user)) throw new UsageError(`The user "${parsed.user}" is given twice`);
      names.add(parsed.user);
      const name = this.#digest(parsed.user);
      if ("hash" in parsed) this.#hashed.set(name.toString("base64"), parsed.hash);
      else this.#clear.push({ name, password: this.#digest(parsed.password) });
    }
    this.#hashes = [...this.#hashed.values()];
  }

  /**
   * Whether there is such a user with such a password. Told at once where it is known; a promise where scrypt has to
   * run, which waits while too many do so already, until the signal aborts: then it rejects with the signal's reason.
   * Rejects with the fault `authentication_unavailable` where too many wait. `client` is where the attempt comes from,
   * `HOST:PORT` or `unix:`; the clients of one IPv4 address or IPv6 /48 take turns.
   */
  verify({ user, password, client = "" }: UserAttempt, signal?: AbortSignal): boolean | Promise<boolean> {
    const name = this.#digest(user);
    const secret = this.#digest(password);
    let found = 0;
    for (const known of this.#clear) {
      found |= Number(timingSafeEqual(name, known.name)) & Number(timingSafeEqual(secret, known.password));
    }
    if (found === 1) return true;
    if (this.#hashes.length === 0) return false;
    const both = `${name.toString("base64")}${secret.toString("base64")}`;
    return this.#recall(both) || this.#verifyHashed({ name, password, both, client }, signal);
  }

  /** Whether a user who was let in by other users would be let in by these with the same hash or password. */
  keeps(user: string, others: Users): boolean {
    const [mine, theirs] = [this.#secretOf(user), others.#secretOf(user)];
    return mine !== undefined && mine === theirs;
  }

  /** What decides about the user's password: the hash as text, or that it is one in clear text, which no file holds. */
  #secretOf(user: string): string | undefined {
    const name = this.#digest(user);
    const hash = this.#hashed.get(name.toString("base64"));
    if (hash) return JSON.stringify([hash.ln, hash.r, hash.p, [...hash.salt], [...hash.hash]]);
    return this.#clear.some((known) => timingSafeEqual(name, known.name)) ? "clear" : undefined;
  }

  async #verifyHashed(
    { name, password, both, client }: { name: Buffer; password: string; both: string; client: string },
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { source, blocks } = originOf(client);
    const keys: Keys = [blocks.at(-1)?.name ?? source, name.toString("base64")];
    const known = this.#hashed.get(keys[1]);
    // An unknown name has the cost of one of the hashes, and the same one each time, as a known name would.
    const hash = known ?? this.#hashes[name.readUInt32LE() % this.#hashes.length];
    await this.#runs.begin(keys, signal);
    let right = false;
    try {
      // A client that opens many connections at once has been waiting for its own answer.
      right = this.#recall(both) || (await this.#verifyHash(hash, password) && known !== undefined);
    } finally {
      this.#runs.end(keys, right);
    }
    if (right) this.#remember(both);
    return right;
  }

  #recall(both: string): boolean {
    if (!this.#remembered.delete(both)) return false;
    this.#remembered.add(both);
    return true;
  }

  #remember(both: string): void {
    this.#remembered.add(both);
    if (this.#remembered.size > MAX_REMEMBERED) {
      this.#remembered.delete(this.#remembered.keys().next().value!);
    }
  }

  #digest(text: string): Buffer {
    return createHmac("sha256", this.#key).update(text).digest();
  }
}

/** Who waits for a run of scrypt: where from, and the digest of the name. */
type Keys = readonly [source: string, name: string];

/**
 * Two at once, and of one source never more than one; the others wait in a line that is fair by source and by name. A
 * source whose last password was right stands before all others: who guesses at a name from many sources keeps none of
 * its users out.
 */
class Runs {
  readonly #turns = new Turns();
  readonly #line = new Line(this.#turns);
  /** The sources of those under way. */
  readonly #sources = new Set<string>();

  async begin(keys: Keys, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#sources.size < MAX_RUNS && !this.#sources.has(keys[0])) return this.#claim(keys);
    const turn = this.#line.wait(keys, { signal });
    if (this.#line.size > MAX_WAITING) {
      this.#line.dismiss(
        new Fault("authentication_unavailable", "Too many passwords wait to be compared with hashes"),
      );
    }
    await turn;
  }

  /** `right` is whether the password was. */
  end([source, name]: Keys, right: boolean): void {
    if (right) {
      this.#turns.prefer(source);
      this.#turns.forget(name);
    } else this.#turns.note(source);
    this.#sources.delete(source);
    const next = this.#line.next(([other]) => !this.#sources.has(other));
    if (next) this.#claim(next);
  }

  #claim([source, name]: readonly string[]): void {
    this.#sources.add(source);
    this.#turns.note(name);
    // Others of a source that was right last may wait behind this run, and keep their place until it was wrong.
    if (!this.#turns.prefers(source)) this.#turns.note(source);
  }
}

/**
 * Reads `NAME:PASSWORD`, in clear text; a password may have colons.
 *
 * @throws {UsageError} If RFC 7617 section 2 and RFC 1929 section 2 cannot both carry it, or if the password is a hash:
 * that would be as good as the password to whoever gets to read it.
 */
export function parseUser(entry: string): { user: string; password: string } {
  const colon = entry.indexOf(":");
  const user = entry.slice(0, Math.max(colon, 0));
  const password = entry.slice(colon + 1);
  if (user === "" || password === "") {
    throw new UsageError("Invalid user: give a name and a password, NAME:PASSWORD");
  }
  if (password.startsWith("$scrypt$")) {
    throw new UsageError("Invalid user: the password is a hash, which belongs into a file for --users-file");
  }
  refuseUnspeakable(user, password);
  return { user, password };
}

/**
 * Reads a name.
 *
 * @throws {UsageError} If RFC 7617 section 2 and RFC 1929 section 2 cannot both carry it.
 */
export function parseName(name: string): string {
  if (name === "" || name.includes(":")) throw new UsageError('Invalid user: give a name without ":"');
  refuseUnspeakable(name);
  return name;
}

function refuseUnspeakable(...texts: string[]): void {
  if (texts.some((text) => /\p{Cc}/u.test(text))) {
    throw new UsageError("Invalid user: leave control characters out");
  }
  if (texts.some((text) => new TextEncoder().encode(text).length > 255)) {
    throw new UsageError("Invalid user: SOCKS5 carries names and passwords of up to 255 bytes");
  }
}
