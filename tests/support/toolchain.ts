/**
 * The ways to run sluice that the black-box tests try.
 *
 * `scripts/setup.ts` installs the pinned runtimes and the built package. `deno task test` runs it first. If somebody
 * starts a single test file, the first test that asks for the rows runs it.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { isSetupDue } from "../../scripts/staleness.ts";
import { BIN, ROOT, RUNTIMES } from "../../scripts/toolchain.ts";

/** Something that one of the ways to run sluice may be unable to do. */
export type Capability =
  /** Reads and writes files: users, certificates, logs. */
  | "files"
  /** Listens on and dials Unix sockets. */
  | "unix sockets"
  /** Runs several workers. */
  | "workers"
  /** Runs its workers as processes, which others can find and kill. */
  | "worker processes"
  /** Sends over TLS after the peer's close_notify. */
  | "half-close over TLS";

/** One way to run sluice. */
export interface Row {
  /** Part of the names of tests. */
  readonly name: string;
  /**
   * The executable and its first arguments; sluice's own follow. The paths are absolute, so any working directory
   * works.
   */
  readonly command: readonly string[];
  /** What it cannot do, and why. */
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
}

/**
 * Every way to run sluice: `deno run -N mod.ts`, `bun run src/main.ts` and, on each supported Node, the bin
 * link of the installed npm package, which is never older than the sources.
 *
 * @param permissions What Deno is allowed beside `-N`, such as `"-R", "-W"` for files and Unix sockets.
 * @throws {Error} Where a runtime cannot be installed; tests of a missing runtime fail, they are never skipped.
 */
export function rows(...permissions: string[]): Row[] {
  const lacks = "Deno was started with -N alone, and asks for -R and -W";
  const mayUseFiles = permissions.includes("-A") || ["-R", "-W"].every((flag) => permissions.includes(flag));
  const mayRead = ["-A", "-R"].some((flag) => permissions.includes(flag));
  setUp();
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
    ...isAskedFor("node 20") ? [{ name: "node 20", command: [RUNTIMES.node20, BIN], lacks: {} }] : [],
    { name: "node 22", command: [RUNTIMES.node22, BIN], lacks: {} },
    { name: "node 24", command: [RUNTIMES.node24, BIN], lacks: {} },
    { name: "node 26", command: [RUNTIMES.node26, BIN], lacks: {} },
  ];
}

/**
 * Node 20 has had no updates since April 2026. The gate tries the contract and the package on it; a sixth row would cost
 * a tenth of the gate's time, so the black-box tests run on it when `SLUICE_ROW` names it.
 */
function isAskedFor(name: string): boolean {
  return Deno.env.get("SLUICE_ROW") === name;
}

let isSetUp = false;

/**
 * Installs the runtimes and builds the npm package from the sources, where needed. Only the first call does anything.
 */
export function setUp(): void {
  if (isSetUp) return;
  if (isSetupDue()) {
    console.error(
      "Setting up: a runtime is missing, or the sources have changed since the npm package was built",
    );
    const args = ["run", "-A", "--no-lock", `${ROOT}/scripts/setup.ts`];
    const { status } = spawnSync(Deno.execPath(), args, {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
    });
    if (status !== 0) throw new Error('Cannot set up the tests: run "deno task setup"');
  }
  isSetUp = true;
}
