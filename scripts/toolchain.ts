/**
 * The paths of the pinned runtimes, and of the npm package that is installed for the tests.
 *
 * `scripts/setup.ts` installs both. Scripts, tests and benches take the paths from this file.
 *
 * @module
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const ROOT: string = join(fileURLToPath(import.meta.url), "../..");

/** Where `scripts/setup.ts` installs; git ignores it. */
export const TOOLCHAIN: string = `${ROOT}/.toolchain`;

/** Where the npm package is built. */
export const PACKAGE: string = `${ROOT}/npm`;

/** A folder in which only the npm package is installed, from its tarball. */
export const INSTALLED: string = `${TOOLCHAIN}/package`;

/** The pinned versions of Node, by the names that the tests use. */
export const NODES = {
  node20: "20.20.2",
  node22: "22.23.3",
  node24: "24.21.0",
  // npm has no build of 26.12.1 for arm64.
  node26: Deno.build.arch === "aarch64" ? "26.12.0" : "26.12.1",
} as const;

/** The pinned version of Bun. */
export const BUN = "1.4.5";

/** Where Node keeps what it has compiled of the installed package. */
export const COMPILED: string = `${TOOLCHAIN}/compiled`;

const MODULES = `${TOOLCHAIN}/runtimes/node_modules`;

/** The executables of the pinned runtimes. Deno is the one that runs this. */
export const RUNTIMES: Readonly<Record<"bun" | keyof typeof NODES, string>> = {
  bun: `${MODULES}/bun/bin/bun`,
  node20: `${MODULES}/node20/bin/node`,
  node22: `${MODULES}/node22/bin/node`,
  node24: `${MODULES}/node24/bin/node`,
  node26: `${MODULES}/node26/bin/node`,
};

/** The link that npm makes to the installed package's bin. */
export const BIN: string = `${INSTALLED}/node_modules/.bin/sluice`;
