/**
 * The command that this process was started with, for Bun and Node.
 *
 * @module
 */

import process from "node:process";

/** Where Bun shows the files that are part of an executable. */
const EMBEDDED = /^(?:\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

/** See `Runtime.command`. */
export function ownCommand(): readonly string[] {
  const [, program = ""] = process.argv;
  return [process.execPath, ...process.execArgv, ...EMBEDDED.test(program) ? [] : [program]];
}
