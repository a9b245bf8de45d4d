/**
 * Tells whether the installed npm package was built from the present sources.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { BIN, ROOT, RUNTIMES, TOOLCHAIN } from "./toolchain.ts";

/** The files and folders that the package is built from, and those that say how it is built. */
export const SOURCES: readonly string[] = [
  ...["src", "adapters", "mod.ts", "deno.json", "README.md", "LICENSE"],
  ...["scripts/build_npm.ts", "scripts/npm.ts", "scripts/npm.tsconfig.json"],
];

/** The file with the digest of the sources of the installed package. */
const RECORD = `${TOOLCHAIN}/package.sha256`;

/** The paths of all files at or below a path, in a fixed order. */
function* filesAt(path: string): Generator<string> {
  if (!statSync(path).isDirectory()) return void (yield path);
  for (const name of readdirSync(path).sort()) yield* filesAt(`${path}/${name}`);
}

/** A digest of the names and the contents of all sources of a checkout. */
export function sourcesDigest(root = ROOT): string {
  const hash = createHash("sha256");
  for (const path of SOURCES.flatMap((source) => [...filesAt(`${root}/${source}`)])) {
    const bytes = readFileSync(path);
    hash.update(`${path.slice(root.length)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Notes that the installed package was built from sources with this digest. */
export function recordPackage(digest: string): void {
  writeFileSync(RECORD, digest);
}

/** Forgets the digest: from now on the installed package counts as stale. */
export function forgetPackage(): void {
  rmSync(RECORD, { force: true });
}

/** Whether the installed package is missing, or was built from other sources. */
export function isPackageStale(): boolean {
  return !existsSync(RECORD) || !existsSync(BIN) || readFileSync(RECORD, "utf8") !== sourcesDigest();
}

/** Whether `scripts/setup.ts` must run before the tests: a runtime is missing, or the package is stale. */
export function isSetupDue(): boolean {
  return !Object.values(RUNTIMES).every((path) => existsSync(path)) || isPackageStale();
}
