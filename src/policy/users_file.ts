/**
 * Users files: one `NAME:HASH` per line, as `sluice passwd NAME` prints it.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { parseHash } from "./password_hash.ts";
import { parseName, type UserEntry } from "./users.ts";

/** How many wrong lines the error names. If it is the wrong file, these are enough to show it. */
const MAX_COMPLAINTS = 10;

/**
 * Reads the text of a users file. It skips blank lines, and lines that begin with `#`. Errors call the file `name`.
 *
 * @throws {UsageError} If a line cannot be used. The message has a line `name:line: reason` for each of the first ten
 * such lines. It quotes neither hashes nor passwords.
 *
 * @example
 * ```ts
 * import { createProxy, hashPassword, parseUsersFile } from "sluice";
 *
 * const text = `ann:${await hashPassword("secret")}`; // or the text of a file that "sluice passwd" has written
 * const proxy = await createProxy({ listen: "127.0.0.1:0", users: parseUsersFile(text, "users") });
 * await proxy.close();
 * ```
 */
export function parseUsersFile(text: string, name: string): UserEntry[] {
  const entries = new Map<string, UserEntry>();
  const complaints: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const entry = line.trim();
    if (entry === "" || entry.startsWith("#")) continue;
    try {
      const parsed = parseEntry(entry);
      if (entries.has(parsed.user)) throw new UsageError(`The user "${parsed.user}" is given twice`);
      entries.set(parsed.user, parsed);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      complaints.push(`${name}:${index + 1}: ${error.message}`);
    }
  }
  if (complaints.length > MAX_COMPLAINTS) {
    const more = complaints.length - MAX_COMPLAINTS;
    complaints.splice(MAX_COMPLAINTS, more, `${name}: ${more} more lines cannot be used`);
  }
  if (complaints.length > 0) throw new UsageError(complaints.join("\n"));
  return [...entries.values()];
}

/**
 * Reads an entry, `NAME:HASH`.
 *
 * @throws {UsageError} If it cannot be used.
 */
export function parseEntry(entry: string): UserEntry {
  const colon = entry.indexOf(":");
  if (colon < 0) throw new UsageError('Invalid user: write NAME:HASH, as "sluice passwd NAME" prints it');
  return { user: parseName(entry.slice(0, colon)), hash: parseHash(entry.slice(colon + 1)) };
}
