/**
 * Builds sluice with its runtime into one file that needs nothing else: `build_binary.ts [bun|deno] [FILE]`, Bun's by
 * default, into `.toolchain/sluice`.
 *
 * It is built from the installed npm package, whose program is one module already.
 *
 * @module
 */

import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { INSTALLED, ROOT, RUNTIMES, TOOLCHAIN } from "./toolchain.ts";

/** The program in the installed package, beside the packages that it imports. */
const PROGRAM = `${INSTALLED}/node_modules/sluice/esm/src/main.js`;

/** The command of each runtime that builds an executable. */
const BUILDERS: Readonly<Record<string, (file: string) => readonly string[]>> = {
  bun: (file) => [RUNTIMES.bun, "build", "--compile", "--minify", PROGRAM, "--outfile", file],
  // Threads are workers there, and a thread begins with the program's own module.
  deno: (file) => [
    Deno.execPath(),
    ...["compile", "--no-check", "--unstable-net", "-N", "-R", "-W", "-E", "-S=networkInterfaces"],
    ...["--include", `${ROOT}/src/main.ts`, "--output", file, `${ROOT}/mod.ts`],
  ],
};

/** What to say where a runtime's builder fails for a known reason. */
const HINTS: Readonly<Record<string, string>> = {
  deno: "deno compile fetches the part of Deno that goes into the file from dl.deno.land: is that in reach?",
};

/** Builds the executable, and returns its size in bytes. */
export async function buildBinary(runtime: string, file: string): Promise<number> {
  const command = BUILDERS[runtime]?.(file);
  if (!command) throw new Error(`Cannot build with "${runtime}": use ${Object.keys(BUILDERS).join(" or ")}`);
  await Deno.mkdir(dirname(file), { recursive: true });
  const [program, ...args] = command;
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null" }).output();
  if (success) return statSync(file).size;
  const said = new TextDecoder().decode(stderr).trim();
  throw new Error([`Cannot build with ${runtime}`, HINTS[runtime], said].filter(Boolean).join("\n"));
}

if (import.meta.main) {
  const [runtime = "bun", file = `${TOOLCHAIN}/sluice`] = Deno.args;
  try {
    const size = await buildBinary(runtime, resolve(file));
    console.log(`${resolve(file)}: ${Math.round(size / 1e6)} MB`);
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
