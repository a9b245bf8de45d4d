/**
 * Whether the installed npm package is the one of the sources as they are now.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { BIN, ROOT, RUNTIMES, TOOLCHAIN } from "./toolchain.ts";

/** The files and folders that the package is made of, and those that say how. */
export const SOURCES: readonly string[] = [
  ...["src", "adapters", "mod.ts", "deno.json", "README.md", "LICENSE"],
  ...["scripts/build_npm.ts", "scripts/npm.ts", "scripts/npm.tsconfig.json"],
];

/** Where the digest of the sources of the installed package is kept. */
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

/** Notes that the package which is installed now was made of sources with this digest. */
export function recordPackage(digest: string): void {
  writeFileSync(RECORD, digest);
}

/** Forgets what the installed package was made of: from now on it counts as stale. */
export function forgetPackage(): void {
  rmSync(RECORD, { force: true });
}

/** Whether the installed package is missing, or was made of other sources. */
export function isPackageStale(): boolean {
  return !existsSync(RECORD) || !existsSync(BIN) || readFileSync(RECORD, "utf8") !== sourcesDigest();
}

/** Whether something that the tests start has to be installed or built first. */
export function isSetupDue(): boolean {
  return !Object.values(RUNTIMES).every((path) => existsSync(path)) || isPackageStale();
}
