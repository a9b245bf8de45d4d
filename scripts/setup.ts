/**
 * Gets ready what the tests need beside Deno: Bun, Node, and the npm package of this checkout, installed from
 * its tarball into an empty folder.
 *
 * `deno task test` runs it first, and so does a test that finds the package older than its sources. Where nothing
 * changed it costs a start of Deno alone. It may run several times at once.
 *
 * @module
 */

import { buildNpm } from "./build_npm.ts";
import { install, pack } from "./npm.ts";
import { forgetPackage, isPackageStale, recordPackage, sourcesDigest } from "./staleness.ts";
import { BIN, BUN, INSTALLED, NODES, PACKAGE, ROOT, RUNTIMES, TOOLCHAIN } from "./toolchain.ts";

/** How npm's packages of Node and Bun name the processor of this machine. */
const PROCESSORS = {
  x86_64: { node: "x64", bun: "x64" },
  aarch64: { node: "arm64", bun: "aarch64" },
};

/** The pinned runtimes, as npm's packages. */
function runtimePackages(): Record<string, string> {
  const { os, arch } = Deno.build;
  if (os !== "linux") {
    throw new Error(`Cannot set up the tests on "${os}": the pinned runtimes are for Linux`);
  }
  const { node, bun } = PROCESSORS[arch];
  const nodes = Object.entries(NODES).map(([name, version]) => [name, `npm:node-linux-${node}@${version}`]);
  return { bun: `npm:@oven/bun-linux-${bun}@${BUN}`, ...Object.fromEntries(nodes) };
}

/** Starts the program once on every runtime, so that no test pays for what Deno and Bun fetch at a first start. */
async function tryRuntimes(): Promise<void> {
  const { bun, ...nodes } = RUNTIMES;
  const commands = [
    [Deno.execPath(), "run", "-N", `${ROOT}/mod.ts`],
    [bun, "run", `${ROOT}/src/main.ts`],
    ...Object.values(nodes).map((node) => [node, BIN]),
  ];
  for (const [program, ...args] of commands) {
    const { success, stderr } = await new Deno.Command(program, { args: [...args, "--version"] }).output();
    if (success) continue;
    throw new Error(`Cannot start sluice with "${program}": ${new TextDecoder().decode(stderr).trim()}`);
  }
}

await Deno.mkdir(TOOLCHAIN, { recursive: true });
using lock = await Deno.open(`${TOOLCHAIN}/lock`, { create: true, write: true });
await lock.lock(true);
await install(`${TOOLCHAIN}/runtimes`, runtimePackages());
if (isPackageStale()) {
  // Taken first: what is edited during the build makes the package stale again.
  const digest = sourcesDigest();
  forgetPackage();
  await buildNpm();
  await install(INSTALLED, { sluice: `file:${await pack(PACKAGE, { into: `${TOOLCHAIN}/tarball` })}` });
  await tryRuntimes();
  recordPackage(digest);
}
