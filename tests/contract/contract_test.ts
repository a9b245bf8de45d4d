/**
 * Runs the contract's cases under every runtime, each case as a step of its own.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, RUNTIMES } from "../../scripts/toolchain.ts";
import type { Verdict } from "./main.ts";
import { ROWS, type RuntimeName } from "./rows.ts";

const MAIN = "tests/contract/main.ts";

/** Runs the suite, started by `command`, and reports each case as a step of `t`. */
async function runContract(
  t: Deno.TestContext,
  options: { runtime: RuntimeName; command: string[] },
): Promise<void> {
  const [executable, ...args] = [...options.command, options.runtime];
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
  assert(cases > 100, `Only ${cases} cases were run`);
}

Deno.test("contract: deno", async (t) => {
  await runContract(t, { runtime: "deno", command: [Deno.execPath(), ...ROWS.deno.start, MAIN] });
});

Deno.test("contract: bun", async (t) => {
  await runContract(t, { runtime: "bun", command: [RUNTIMES.bun, ...ROWS.bun.start, MAIN] });
});

for (const [name, node] of Object.entries(RUNTIMES).filter(([name]) => name.startsWith("node"))) {
  Deno.test(`contract: ${name}`, async (t) => {
    // Node 20 cannot strip types.
    const directory = mkdtempSync(join(tmpdir(), "contract-"));
    try {
      const built = spawnSync(RUNTIMES.bun, ["build", "--target=node", MAIN, "--outdir", directory], {
        cwd: ROOT,
      });
      assertEquals(built.status, 0, String(built.stderr));
      await runContract(t, { runtime: "node", command: [node, join(directory, "main.js")] });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}
