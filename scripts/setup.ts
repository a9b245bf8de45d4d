/**
 * Gets ready what the tests need beside Deno: Bun, Node, and the npm package of this checkout, installed from
 * its tarball into an empty folder.
 *
 * `deno task test` runs it first. It is quick where nothing changed, and safe to run several times at once.
 *
 * @module
 */

import { INSTALLED, rows, type RUNTIMES, TOOLCHAIN } from "../tests/support/toolchain.ts";
import { buildNpm, PACKAGE } from "./build_npm.ts";
import { install, pack } from "./npm.ts";

/** How npm's packages of Node and Bun name the processor of this machine. */
const PROCESSORS = {
  x86_64: { node: "x64", bun: "x64" },
  aarch64: { node: "arm64", bun: "aarch64" },
};

/** The pinned runtimes. */
function runtimePackages(): Record<keyof typeof RUNTIMES, string> {
  const { os, arch } = Deno.build;
  if (os !== "linux") {
    throw new Error(`Cannot set up the tests on "${os}": the pinned runtimes are for Linux`);
  }
  const { node, bun } = PROCESSORS[arch];
  return {
    bun: `npm:@oven/bun-linux-${bun}@1.4.5`,
    node20: `npm:node-linux-${node}@20.20.2`,
    node22: `npm:node-linux-${node}@22.23.3`,
    node24: `npm:node-linux-${node}@24.21.0`,
  };
}

/** Starts every row once, so that no test pays for what Deno and Bun fetch at a first start. */
async function tryRows(): Promise<void> {
  for (const { name, command: [program, ...args] } of rows()) {
    const { success, stderr } = await new Deno.Command(program, { args: [...args, "--version"] }).output();
    if (!success) {
      throw new Error(`Cannot start the row "${name}": ${new TextDecoder().decode(stderr).trim()}`);
    }
  }
}

await Deno.mkdir(TOOLCHAIN, { recursive: true });
using lock = await Deno.open(`${TOOLCHAIN}/lock`, { create: true, write: true });
await lock.lock(true);
await install(`${TOOLCHAIN}/runtimes`, runtimePackages());
await buildNpm();
await install(INSTALLED, { sluice: `file:${await pack(PACKAGE, { into: `${TOOLCHAIN}/tarball` })}` });
await tryRows();
