/**
 * Builds the npm package `sluice` into `npm/`, ready for `npm pack` or `npm publish`.
 *
 * dnt builds it if JSR can be reached, and plain `tsc` otherwise. Both build the same package.
 *
 * @module
 */

import { existsSync } from "node:fs";
import config from "../deno.json" with { type: "json" };
import { install, remove } from "./npm.ts";
import { PACKAGE, ROOT, TOOLCHAIN } from "./toolchain.ts";

/** The plain build's compiler, and the types of the oldest supported Node. */
const COMPILER = { "typescript": "6.0.3", "@types/node": "20.19.43" };

/** The pinned version of dnt, and the file with the checksums of dnt and its dependencies. */
const DNT = { specifier: config.imports["@deno/dnt"], lock: `${ROOT}/scripts/dnt.lock` };

/** The npm package that has the modules of `@std`, pinned to one version. */
const STD = { name: "deno-std", version: "1.4.0" };

/** The modules of `@std` that the program imports, and their paths in that package. */
const STD_MODULES = {
  "@std/cli/parse-args": "cli/parse_args.js",
  "@std/jsonc/parse": "jsonc/parse.js",
  "@std/toml/parse": "toml/parse.js",
};

/** The library that verifies bcrypt. Its version stands in the specifier, as in `src/policy/bcrypt.ts`. */
const BCRYPT = { name: "bcryptjs", version: "3.0.3", specifier: "bcryptjs@3.0.3" };

/** The client for `--store`. People who use a store install it. The program imports it by name and version. */
export const REDIS = { name: "redis", version: "6.3.1", specifier: "redis@6.3.1" };

/** Texts that go into the package, and their names there. */
const TEXTS = { "README.md": "README.md", "LICENSE": "LICENSE", "src/std_cli/LICENSE": "LICENSE.std" };

/** The package.json, the same for both builds. */
export function packageJson(): Record<string, unknown> {
  return {
    name: "sluice",
    version: config.version,
    description: "One port, every proxy protocol, every JavaScript runtime",
    keywords: ["proxy", "http", "https", "connect", "socks4", "socks5", "deno", "bun"],
    author: "the sluice authors",
    license: config.license,
    type: "module",
    exports: { ".": { types: "./esm/src/lib.d.ts", default: "./esm/src/lib.js" } },
    bin: { sluice: "./esm/src/main.js" },
    files: ["esm", "LICENSE.std"],
    engines: { node: ">=20" },
    dependencies: { [STD.name]: STD.version },
    // Only for users files of htpasswd. It has no dependencies, and 150 KB.
    optionalDependencies: { [BCRYPT.name]: BCRYPT.version },
    peerDependencies: { [REDIS.name]: REDIS.version },
    peerDependenciesMeta: { [REDIS.name]: { optional: true } },
  };
}

/** Builds the package afresh, with dnt or without. */
export async function buildNpm(): Promise<void> {
  await remove(PACKAGE);
  const dnt = await fetchDnt();
  await (dnt ? buildWithDnt(dnt) : buildWithTsc());
  await Deno.writeTextFile(`${PACKAGE}/package.json`, JSON.stringify(packageJson(), null, 2) + "\n");
  for (const [path, name] of Object.entries(TEXTS)) {
    await Deno.copyFile(`${ROOT}/${path}`, `${PACKAGE}/${name}`);
  }
  await bundleProgram(`${PACKAGE}/esm/src/main.js`);
  await makeExecutable(`${PACKAGE}/esm/src/main.js`);
}

interface Dnt {
  build(options: Record<string, unknown>): Promise<void>;
}

/** dnt; undefined if JSR does not deliver it within a minute, or if its checksums have changed. */
async function fetchDnt(): Promise<Dnt | undefined> {
  // The first fetch writes the checksums, which are committed with the code. Later fetches must match them.
  const frozen = existsSync(DNT.lock) ? ["--frozen"] : [];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", "--no-config", "--lock", DNT.lock, ...frozen, DNT.specifier],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  // Not a literal: type checks and tests would fetch a literal specifier from JSR.
  const { specifier } = DNT;
  if (success) return await import(specifier);
  const reason = new TextDecoder().decode(stderr).split("\n")[0] || "no answer within a minute";
  console.error(`Building with plain typescript, because dnt cannot be had from JSR (${reason})`);
}

async function buildWithDnt({ build }: Dnt): Promise<void> {
  // With an import map of its own dnt does not read deno.json, and need not understand the links there.
  const std = Object.entries(STD_MODULES);
  const imports = {
    ...Object.fromEntries(std.map(([name, path]) => [name, `npm:${STD.name}@${STD.version}/${path}`])),
    [BCRYPT.specifier]: `npm:${BCRYPT.specifier}`,
    [REDIS.specifier]: `npm:${REDIS.specifier}`,
  };
  const importMap = `${TOOLCHAIN}/npm_imports.json`;
  await Deno.mkdir(TOOLCHAIN, { recursive: true });
  await Deno.writeTextFile(importMap, JSON.stringify({ imports }));
  await build({
    entryPoints: [`${ROOT}/src/lib.ts`, { kind: "bin", name: "sluice", path: `${ROOT}/src/main.ts` }],
    outDir: PACKAGE,
    shims: {},
    polyfills: { importMeta: false },
    scriptModule: false,
    skipSourceOutput: true,
    test: false,
    importMap,
    compilerOptions: { target: "ES2022", lib: ["ES2023", "ESNext.Disposable", "DOM", "DOM.Iterable"] },
    // The mirror on npm has no types. `deno check` has checked the calls with the types in `src/std_cli`.
    filterDiagnostic: ({ code }: { code: number }) => code !== 7016,
    // dnt chooses the files itself, and needs the types of Node only for its own check.
    package: {
      ...packageJson(),
      files: undefined,
      devDependencies: { "@types/node": COMPILER["@types/node"] },
    },
  });
}

async function buildWithTsc(): Promise<void> {
  await install(`${TOOLCHAIN}/compiler`, COMPILER);
  const tsc = `${TOOLCHAIN}/compiler/node_modules/typescript/lib/tsc.js`;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", tsc, "-p", `${ROOT}/scripts/npm.tsconfig.json`],
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (!success) throw new Error("Cannot build the npm package: tsc found the errors above");
  await mapModules(`${PACKAGE}/esm`);
}

/** Replaces the modules of other packages with their names on npm, in every file of a folder. */
async function mapModules(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) {
      await mapModules(path);
      continue;
    }
    const text = await Deno.readTextFile(path);
    let mapped = text;
    for (const [module, path] of Object.entries(STD_MODULES)) {
      mapped = mapped.replaceAll(`"${module}"`, `"${STD.name}/${path}"`);
    }
    for (const { specifier, name } of [BCRYPT, REDIS]) {
      mapped = mapped.replaceAll(`"${specifier}"`, `"${name}"`);
    }
    if (mapped !== text) await Deno.writeTextFile(path, mapped);
  }
}

/**
 * Puts all modules of the program into one file, since Node pays for each module that it loads: on Node 20 to 26 a
 * start of the program took 0.27 s of CPU time with 170 modules, and takes 0.13 s with one.
 */
async function bundleProgram(path: string): Promise<void> {
  const external = [`${STD.name}/*`, BCRYPT.name, REDIS.name].flatMap((name) => ["--external", name]);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--no-config",
      "--platform=deno",
      ...external,
      "--output",
      `${path}.new`,
      path,
    ],
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (!success) throw new Error("Cannot build the npm package: the program cannot be bundled, see above");
  await Deno.rename(`${path}.new`, path);
}

async function makeExecutable(path: string): Promise<void> {
  const code = (await Deno.readTextFile(path)).replace(/^#!.*\n/, "");
  await Deno.writeTextFile(path, `#!/usr/bin/env node\n${code}`);
  await Deno.chmod(path, 0o755);
}

if (import.meta.main) await buildNpm();
