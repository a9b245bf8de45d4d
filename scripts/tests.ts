/**
 * Runs the tests, several files at a time: `tests.ts [FILE…] [FLAG…]`, with the flags of `deno test`. At the end it
 * says which cases failed, where, and how to run each of them alone.
 *
 * No test needs the machine for itself: tests measure only what one process uses, with a wide margin. `DENO_JOBS` is
 * the number of files that run at a time.
 *
 * @module
 */

import { stripVTControlCharacters } from "node:util";
import { failures } from "./failures.ts";
import { ROOT } from "./toolchain.ts";

/** Files at a time: one more than there are cores, since a file that waits for a time limit needs none. */
const JOBS = Deno.env.get("DENO_JOBS") ?? String(navigator.hardwareConcurrency + 1);

const run = new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--no-check", "--parallel", ...Deno.args],
  cwd: ROOT,
  env: { DENO_JOBS: JOBS, ...Deno.stdout.isTerminal() ? { FORCE_COLOR: "1" } : {} },
  stdout: "piped",
}).spawn();

const [shown, kept] = run.stdout.tee();
const [output] = await Promise.all([
  new Response(kept).text(),
  shown.pipeTo(Deno.stdout.writable, { preventClose: true }),
]);
const { code } = await run.status;
const failed = failures(stripVTControlCharacters(output));
if (failed.length > 0) console.error("\nWhat failed, and how to run it alone:");
for (const { where, what, command } of failed) console.error(`\n${where}: ${what}\n  ${command}`);
if (code !== 0 && failed.length === 0) console.error("\nSomething failed outside of a test: see above");
Deno.exit(code);
