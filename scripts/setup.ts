/**
 * Installs what the tests need besides Deno: Bun, Node, and the npm package of this checkout, from its tarball into an
 * empty folder.
 *
 * `deno task test` runs this first, and so does a test that finds the package older than its sources. If nothing has
 * changed, it costs only a start of Deno. It may run several times at once.
 *
 * @module
 */

import { buildNpm, REDIS } from "./build_npm.ts";
import { install, pack, remove } from "./npm.ts";
import { forgetPackage, isPackageStale, recordPackage, sourcesDigest } from "./staleness.ts";
import { BIN, BUN, COMPILED, INSTALLED, NODES, PACKAGE, ROOT, RUNTIMES, TOOLCHAIN } from "./toolchain.ts";

/** What the npm packages of Node and Bun call this machine's processor. */
const PROCESSORS = {
  x86_64: { node: "x64", bun: "x64" },
  aarch64: { node: "arm64", bun: "aarch64" },
};

/** The npm packages of the pinned runtimes, with their versions. */
function runtimePackages(): Record<string, string> {
  const { os, arch } = Deno.build;
  if (os !== "linux") {
    throw new Error(`Cannot set up the tests on "${os}": the pinned runtimes are for Linux`);
  }
  const { node, bun } = PROCESSORS[arch];
  const nodes = Object.entries(NODES).map(([name, version]) => [name, `npm:node-linux-${node}@${version}`]);
  return { bun: `npm:@oven/bun-linux-${bun}@${BUN}`, ...Object.fromEntries(nodes) };
}

/** Starts the program once on every runtime: Deno and Bun fetch packages at a first start, and no test should wait. */
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
  // Computed before the build, so that a source that is edited during the build makes the package stale again.
  const digest = sourcesDigest();
  forgetPackage();
  await buildNpm();
  await remove(COMPILED);
  const tarball = await pack(PACKAGE, { into: `${TOOLCHAIN}/tarball` });
  await install(INSTALLED, { sluice: `file:${tarball}`, [REDIS.name]: REDIS.version });
  await tryRuntimes();
  recordPackage(digest);
}
