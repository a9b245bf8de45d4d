/**
 * Who may use the proxy: names and passwords, the same on every protocol.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { Fault } from "../faults.ts";
import { UsageError } from "../text/usage_error.ts";
import { digestOf } from "./digest.ts";
import { type PasswordHash, verifyHash } from "./password_hash.ts";
import { originOf } from "./sources.ts";
import { Line, Turns } from "./turns.ts";

/** A user and the hash of the user's password, as a line of a users file has them. */
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

/** Options of {@link Users}, for tests. */
export interface UsersOptions {
  /** Says whether a password has this hash; `verifyHash` by default. */
  readonly verifyHash?: (hash: PasswordHash, password: string) => Promise<boolean>;
}

/**
 * How many runs of scrypt there are at once. A run takes memory (32 MiB for a hash of `sluice passwd`), and one of the
 * threads (four on Node) that also look up names.
 */
const MAX_RUNS = 2;

/** How many attempts may wait for a run. Beyond this, the one whose turn would come last is refused. */
const MAX_WAITING = 100;

/** How many right credentials are remembered. */
const MAX_REMEMBERED = 1_000;

/**
 * Compares credentials. The time does not tell how much of them is right: name and password have one digest, which is
 * compared with those of all users whose password was given in clear text. If there are hashed passwords, all wrong credentials cost one run of scrypt, whether the
 * name is known or not.
 *
 * The users never change. When a file has changed, a new object replaces this one.
 *
 * @example
 * ```ts
 * const users = new Users(["ann:secret"]);
 * await users.verify({ user: "ann", password: "secret" }); // true
 * ```
 */
export class Users {
  /** Digest of the name → digest of name and password, of users whose password was given in clear text. */
  readonly #clear = new Map<string, Buffer>();
  /** Digest of the name → hash. The time of a look-up by digest tells nothing about the name. */
  readonly #hashed = new Map<string, PasswordHash>();
  readonly #hashes: readonly PasswordHash[];
  readonly #verifyHash: NonNullable<UsersOptions["verifyHash"]>;
  /** Digests of right credentials, last used last. HTTP clients send them with each request, and scrypt is slow. */
  readonly #remembered = new Set<string>();
  readonly #runs = new Runs();

  /**
   * Takes `NAME:PASSWORD` in clear text, and entries of a users file.
   *
   * @throws {UsageError} If an entry cannot be used, or a name is given twice. The message quotes no password.
   */
  constructor(entries: readonly (string | UserEntry)[], options: UsersOptions = {}) {
    this.#verifyHash = options.verifyHash ?? verifyHash;
    const names = new Set<string>();
    for (const entry of entries) {
      const parsed = typeof entry === "string" ? parseUser(entry) : entry;
      if (names.has(parsed.user)) throw new UsageError(`The user "${parsed.user}" is given twice`);
      names.add(parsed.user);
      const name = digestOf(parsed.user);
      if ("hash" in parsed) this.#hashed.set(name, parsed.hash);
      else this.#clear.set(name, Buffer.from(digestOfBoth(parsed)));
    }
    this.#hashes = [...this.#hashed.values()];
  }

  /**
   * Whether a user has this name and this password. Returns a promise only if scrypt has to run. While too many runs
   * are under way, the attempt waits for its turn. Rejects with the signal's reason if the signal aborts during this
   * wait, and with the fault `authentication_unavailable` if too many attempts wait. `client` is where the attempt
   * comes from, `HOST:PORT` or `unix:`. The clients of one IPv4 address or of one IPv6 /48 take turns.
   */
  verify({ user, password, client = "" }: UserAttempt, signal?: AbortSignal): boolean | Promise<boolean> {
    const both = digestOfBoth({ user, password });
    const digest = Buffer.from(both);
    let found = 0;
    for (const known of this.#clear.values()) found |= Number(timingSafeEqual(digest, known));
    if (found === 1) return true;
    if (this.#hashes.length === 0) return false;
    return this.#recall(both) || this.#verifyHashed({ name: digestOf(user), password, both, client }, signal);
  }

  /** Whether both objects have this user, with the same password in clear text or the same hash. */
  keeps(user: string, others: Users): boolean {
    const [mine, theirs] = [this.#secretOf(user), others.#secretOf(user)];
    return mine !== undefined && mine === theirs;
  }

  /** The user's hash as text, or the digest of name and password in clear text. Undefined: no such user. */
  #secretOf(user: string): string | undefined {
    const name = digestOf(user);
    const hash = this.#hashed.get(name);
    if (hash) return hash.text;
    return this.#clear.get(name)?.toString();
  }

  async #verifyHashed(
    { name, password, both, client }: { name: string; password: string; both: string; client: string },
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { source, blocks } = originOf(client);
    const keys: Keys = [blocks.at(-1)?.name ?? source, name];
    const known = this.#hashed.get(name);
    // An unknown name gets one of the hashes, always the same, so that it takes as long as a known name.
    const hash = known ?? this.#hashes[parseInt(name.slice(0, 8), 16) % this.#hashes.length];
    await this.#runs.begin(keys, signal);
    let right = false;
    try {
      // The same credentials, from another connection, may have been found right during the wait.
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
}

/** A user and the password have no line break among them, so no other pair has the same digest. */
function digestOfBoth({ user, password }: { readonly user: string; readonly password: string }): string {
  return digestOf(`${user}\n${password}`);
}

/** The keys of an attempt that needs scrypt: where it comes from, and the digest of the name. */
type Keys = readonly [source: string, name: string];

/**
 * Allows two runs of scrypt at once, but only one for each source. Other attempts wait in a line that is fair by source
 * and by name. A source whose last password was right comes before all others. So somebody who guesses at a name from
 * many sources does not keep the user of this name out.
 */
class Runs {
  readonly #turns = new Turns();
  readonly #line = new Line(this.#turns);
  /** The sources of the runs that are under way. */
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

  /** Ends a run, and begins the next. `right` says whether the password was right. */
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
    // A source that was right last stays preferred until it is wrong, because more of its attempts may wait.
    if (!this.#turns.prefers(source)) this.#turns.note(source);
  }
}

/**
 * Reads `NAME:PASSWORD` in clear text. The password may contain colons.
 *
 * @throws {UsageError} If RFC 7617 section 2 or RFC 1929 section 2 cannot carry it, or if the password is a hash: a
 * client could then log in with the hash itself.
 */
export function parseUser(entry: string): { user: string; password: string } {
  const colon = entry.indexOf(":");
  const user = entry.slice(0, Math.max(colon, 0));
  const password = entry.slice(colon + 1);
  if (user === "" || password === "") {
    throw new UsageError("Invalid user: give a name and a password, NAME:PASSWORD");
  }
  if (/^\$(?:scrypt|2[aby])\$/.test(password)) {
    throw new UsageError("Invalid user: the password is a hash, which belongs into a file for --users-file");
  }
  refuseUnspeakable(user, password);
  return { user, password };
}

/**
 * Reads a name.
 *
 * @throws {UsageError} If RFC 7617 section 2 or RFC 1929 section 2 cannot carry it.
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
