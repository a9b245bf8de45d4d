/**
 * Runs the contract's cases on a runtime, each case as a step of its own.
 *
 * Each runtime has its own test file, so that the runtimes run side by side. `SLUICE_CASE` limits a run to the cases
 * with these words in their names.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { ROOT, RUNTIMES } from "../../scripts/toolchain.ts";
import { setUp } from "../support/toolchain.ts";
import type { Verdict } from "./main.ts";
import { ROWS } from "./rows.ts";
import type { RuntimeName } from "./rows.ts";

const MAIN = "tests/contract/main.ts";

const CASE = process.env.SLUICE_CASE ?? "";

/** Starts `command`, which runs the cases, and reports each of them as a step of `t`. */
async function runCases(
  t: Deno.TestContext,
  { runtime, command }: { runtime: RuntimeName; command: readonly string[] },
): Promise<void> {
  const [executable, ...args] = [...command, runtime, CASE];
  const env = { ...Deno.env.toObject(), CONTRACT_DENO: Deno.execPath() };
  const child = spawn(executable, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let cases = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const { name, error, skipped } = JSON.parse(line) as Verdict;
    cases++;
    await t.step({
      name: skipped === undefined ? name : `${name} (cannot: ${skipped})`,
      ignore: skipped !== undefined,
      fn: () => assert(error === undefined, error),
    });
  }
  const [status] = await exited;
  assertEquals(status, 0);
  assert(cases > (CASE === "" ? 100 : 0), `Only ${cases} cases were run`);
}

/** The contract on Deno. */
export function testDeno(): void {
  Deno.test("contract: deno", async (t) => {
    await runCases(t, { runtime: "deno", command: [Deno.execPath(), ...ROWS.deno.start, MAIN] });
  });
}

/** The contract on Bun. */
export function testBun(): void {
  setUp();
  Deno.test("contract: bun", async (t) => {
    await runCases(t, { runtime: "bun", command: [RUNTIMES.bun, ...ROWS.bun.start, MAIN] });
  });
}

/** The contract on one version of Node. */
export function testNode(name: Exclude<keyof typeof RUNTIMES, "bun">): void {
  setUp();
  Deno.test(`contract: ${name}`, async (t) => {
    // Node 20 cannot run TypeScript.
    const directory = mkdtempSync(join(tmpdir(), "contract-"));
    try {
      const built = spawnSync(RUNTIMES.bun, ["build", "--target=node", MAIN, "--outdir", directory], {
        cwd: ROOT,
      });
      assertEquals(built.status, 0, String(built.stderr));
      await runCases(t, { runtime: "node", command: [RUNTIMES[name], join(directory, "main.js")] });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
