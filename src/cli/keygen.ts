/**
 * `sluice keygen`: what the two halves of a pair need to know each other by.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SYSTEM_CLOCK } from "../runtime/clock.ts";
import { UsageError } from "../text/usage_error.ts";
import { formatAuthority } from "../addresses/host.ts";
import { selfSigned } from "../tls/certificate.ts";
import { KEY_FILES } from "./flags/key_files.ts";
import type { CommandLine } from "./flags/options.ts";
import { EXIT_CODES, type Shell } from "./program/shell.ts";

/** Ten years: who has the key is trusted until it is replaced. */
const DAYS = 3_650;

/** Runs the command. What is secret goes to files that their owner alone can read, never to the terminal. */
export async function keygen({ options, words: [host] }: CommandLine, shell: Shell): Promise<number> {
  const { out } = options;
  const { cert, key, pin } = selfSigned(host, { now: SYSTEM_CLOCK.date(), days: DAYS });
  const path = (name: keyof typeof KEY_FILES) => join(out, KEY_FILES[name]);
  await makeFolder(out);
  // All or nothing: what is there already goes with other keys than these.
  for (const name of ["cert", "key", "token"] as const) await refuseExisting(path(name));
  await writeNew(path("key"), key, 0o600);
  await writeNew(path("cert"), cert, 0o644);
  await writeNew(path("token"), `${randomBytes(32).toString("base64url")}\n`, 0o600);
  shell.print(`Made ${path("cert")}, ${path("key")} and ${path("token")}.

On ${host}, with all three files:
  sluice remote --listen 0.0.0.0:8443 --cert ${path("cert")} --key ${path("key")} --token-file ${
    path("token")
  }

On your machine, with ${KEY_FILES.token} alone, copied by a safe way:
  sluice local --remote ${formatAuthority({ host, port: 8443 })} --pin ${pin} --token-file ${KEY_FILES.token}

Then point programs at 127.0.0.1:8899.`);
  return EXIT_CODES.done;
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new UsageError(`Cannot make the folder "${path}": ${(cause as Error).message}`, { cause });
  }
}

const IS_THERE = "it is there already, and keys are not overwritten";

async function refuseExisting(path: string): Promise<void> {
  if (await stat(path).catch(() => undefined)) throw new UsageError(`Cannot write "${path}": ${IS_THERE}`);
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx", mode });
    // The mode above is cut by the umask and never widened; this is for the runtime that ignores it.
    await chmod(path, mode);
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    const why = code === "EEXIST" ? IS_THERE : message;
    throw new UsageError(`Cannot write "${path}": ${why}`, { cause });
  }
}
