/**
 * Passwords that htpasswd and others have hashed with bcrypt. A library verifies them: no runtime has bcrypt itself.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../runtime/clock.ts";
import { UsageError } from "../text/usage_error.ts";

/** The part of bcryptjs that is used here. */
interface Bcrypt {
  compare(password: string, hash: string): Promise<boolean>;
}

/** Version, binary logarithm of the cost, salt and hash in crypt's own base64. Version 2x has a known fault. */
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** A run at cost 12 takes 0.4 s. htpasswd takes 5 by default, and most others 10 or 12. */
const [MIN_COST, MAX_COST] = [4, 12];

/**
 * bcryptjs computes on the event loop, up to 100 ms at a time. After a wrong password, a run keeps its turn this many times
 * longer than it took. There are two turns, so guessing takes at most two fifths of the loop.
 */
const REST = 4;

/** What is wrong with a hash; undefined if nothing is. */
export function bcryptFault(text: string): string | undefined {
  const [, digits] = BCRYPT.exec(text) ?? [];
  if (digits === undefined) return "its bcrypt hash is damaged";
  const cost = Number(digits);
  return cost >= MIN_COST && cost <= MAX_COST
    ? undefined
    : `its bcrypt cost of ${cost} is not between ${MIN_COST} and ${MAX_COST}`;
}

let library: Promise<Bcrypt> | undefined;

/** Loads the library. It is loaded only where there is such a hash. */
export async function loadBcrypt(): Promise<void> {
  await bcrypt();
}

function bcrypt(): Promise<Bcrypt> {
  return library ??= importBcrypt();
}

async function importBcrypt(): Promise<Bcrypt> {
  try {
    // The version stands in the specifier because Bun installs what it names, without a lock file.
    // @ts-ignore: a program elsewhere that imports mod.ts type-checks this line too, and cannot resolve the name.
    return (await import("bcryptjs@3.0.3")).default as Bcrypt;
  } catch (cause) {
    library = undefined;
    throw new UsageError(
      'Cannot verify bcrypt passwords: the package "bcryptjs" is missing; install it, or make the entries with ' +
        '"sluice passwd NAME"',
      { cause },
    );
  }
}

/** Whether a password has this hash. As everywhere, only the first 72 bytes of a password count. */
export async function verifyBcrypt(
  text: string,
  password: string,
  clock: Pick<Clock, "now" | "schedule"> = SYSTEM_CLOCK,
): Promise<boolean> {
  const { compare } = await bcrypt();
  const began = clock.now();
  if (await compare(password, text)) return true;
  const rest = REST * (clock.now() - began);
  await new Promise<void>((resolve) => clock.schedule(rest, resolve));
  return false;
}
