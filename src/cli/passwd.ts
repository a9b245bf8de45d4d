/**
 * `sluice passwd NAME`: makes an entry for a users file.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { hashPassword } from "../policy/password_hash.ts";
import { parseUser } from "../policy/users.ts";
import { UsageError } from "../text/usage_error.ts";
import type { CommandLine } from "./flags/options.ts";
import { EXIT_CODES, type Shell } from "./program/shell.ts";

/** Runs the command. It reads the password from standard input, not from the arguments: other users can see those. */
export async function passwd({ words: [name] }: CommandLine, shell: Shell): Promise<number> {
  if (/[:#\s]/.test(name)) throw new UsageError(`Invalid name "${name}": leave ":", "#" and white space out`);
  const password = await readPassword(`Password of ${name}: `);
  parseUser(`${name}:${password}`);
  if (process.stdin.isTTY && await readPassword("Once more: ") !== password) {
    throw new UsageError("The two passwords differ: try again");
  }
  shell.print(`${name}:${await hashPassword(password)}`);
  return EXIT_CODES.done;
}

/** Reads one line of standard input. On a terminal it shows a prompt, and hides what the user types. */
async function readPassword(prompt: string): Promise<string> {
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stderr.write(prompt);
  const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: mute, terminal });
  try {
    return await new Promise((resolve, reject) => {
      lines.once("line", resolve);
      lines.once("close", () => reject(new UsageError("No password was given: type it, or pipe it in")));
    });
  } finally {
    lines.close();
    if (terminal) process.stderr.write("\n");
  }
}
