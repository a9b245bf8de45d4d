/**
 * The ways to run sluice that the black-box tests try, and the runtimes that they need.
 *
 * Nothing is installed here: `scripts/setup.ts`, which `deno task test` runs first, puts the pinned runtimes
 * and the built package where this file looks for them.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const ROOT = join(fileURLToPath(import.meta.url), "../../..");

/** Where `scripts/setup.ts` installs; git ignores it. */
export const TOOLCHAIN = `${ROOT}/.toolchain`;

/** The executables of the pinned runtimes. Deno is the one that runs the tests. */
export const RUNTIMES = {
  bun: `${TOOLCHAIN}/runtimes/node_modules/bun/bin/bun`,
  node20: `${TOOLCHAIN}/runtimes/node_modules/node20/bin/node`,
  node22: `${TOOLCHAIN}/runtimes/node_modules/node22/bin/node`,
  node24: `${TOOLCHAIN}/runtimes/node_modules/node24/bin/node`,
} as const;

/** A folder in which the npm package, packed to a tarball, is installed and nothing else. */
export const INSTALLED = `${TOOLCHAIN}/package`;

/** What a way to run sluice may be unable to do. */
export type Capability =
  /** Reads and writes files: users, certificates, logs. */
  | "files"
  /** Listens on and dials Unix sockets. */
  | "unix sockets"
  /** Runs several workers. */
  | "workers"
  /** Runs its workers as processes, which others can find and kill. */
  | "worker processes"
  /** Sends over TLS what comes after the peer's close_notify. */
  | "half-close over TLS";

/** One way to run sluice. */
export interface Row {
  /** Stands in the names of tests. */
  readonly name: string;
  /** The executable and its first arguments; sluice's own follow. Paths are absolute: any working directory will do. */
  readonly command: readonly string[];
  /** What it cannot do, and why. */
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
}

/**
 * Every way to run sluice: `deno run -N mod.ts`, `bun run src/main.ts` and, on each supported Node, the bin
 * link of the installed npm package.
 *
 * @param permissions What Deno is allowed beside `-N`, such as `"-R", "-W"` for files and Unix sockets.
 * @throws {Error} Where a runtime is not installed; tests of a missing runtime fail, they are never skipped.
 */
export function rows(...permissions: string[]): Row[] {
  const lacks = "Deno was started with -N alone, and asks for -R and -W";
  const mayUseFiles = permissions.includes("-A") || ["-R", "-W"].every((flag) => permissions.includes(flag));
  const mayRead = ["-A", "-R"].some((flag) => permissions.includes(flag));
  const link = `${INSTALLED}/node_modules/.bin/sluice`;
  for (const path of [...Object.values(RUNTIMES), link]) {
    if (!existsSync(path)) throw new Error(`Cannot find "${path}": run "deno task setup"`);
  }
  return [
    {
      name: ["deno", ...permissions].join(" "),
      command: [Deno.execPath(), "run", "-N", ...permissions, `${ROOT}/mod.ts`],
      lacks: {
        ...mayUseFiles ? {} : { "files": lacks, "unix sockets": lacks },
        ...mayRead ? {} : { "workers": "Deno reads the modules of a thread with -R alone" },
        "worker processes": "Deno's workers are threads, which nobody can kill from outside",
      },
    },
    {
      name: "bun",
      command: [RUNTIMES.bun, "run", `${ROOT}/src/main.ts`],
      lacks: { "half-close over TLS": "Bun ends both directions at the peer's close_notify" },
    },
    { name: "node 20", command: [RUNTIMES.node20, link], lacks: {} },
    { name: "node 22", command: [RUNTIMES.node22, link], lacks: {} },
    { name: "node 24", command: [RUNTIMES.node24, link], lacks: {} },
  ];
}
