/**
 * `sluice keygen`: makes the certificate, key and token with which the two halves of a pair recognize each other.
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

/** How long the certificate is valid: ten years. The local half pins the key, and trusts it until it is replaced. */
const DAYS = 3_650;

/** Runs the command. It writes secrets to files that only their owner can read, and never to the terminal. */
export async function keygen({ options, words: [host] }: CommandLine, shell: Shell): Promise<number> {
  const { out } = options;
  const { cert, key, pin } = selfSigned(host, { now: SYSTEM_CLOCK.date(), days: DAYS });
  const path = (name: keyof typeof KEY_FILES) => join(out, KEY_FILES[name]);
  await makeFolder(out);
  // It writes all three files or none: an existing file belongs to other keys.
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
    // The umask can only narrow the mode above. One runtime ignores that mode, so it is set here.
    await chmod(path, mode);
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    const why = code === "EEXIST" ? IS_THERE : message;
    throw new UsageError(`Cannot write "${path}": ${why}`, { cause });
  }
}
