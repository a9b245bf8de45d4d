/**
 * The npm package as a library: imported by name from the folder that it is installed in, and typed.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { httpOrigin } from "../support/origin.ts";
import { INSTALLED, NODES, ROOT, RUNTIMES, TOOLCHAIN } from "../../scripts/toolchain.ts";
import { setUp } from "../support/toolchain.ts";

setUp();

const run = promisify(execFile);

/** A program as a user of the library would write it: it serves one request, and tells what was recorded. */
const CONSUMER = `${INSTALLED}/consumer.mts`;
const PROGRAM = `
import { type AccessRecord, Fault, type Proxy, type ProxyOptions, type RouteAnswer, UsageError, createProxy } from "sluice";
import { request } from "node:http";

const records: AccessRecord[] = [];
const options: ProxyOptions = { listen: "127.0.0.1:0", onRecord: (record) => records.push(record) };
const proxy = await createProxy(options);
const address = proxy.addresses[0];
if (!address || !("port" in address)) throw new TypeError("It does not listen on TCP");
const path = process.argv[2];
await new Promise<void>((resolve, reject) => {
  request({ host: address.host, port: address.port, path }, (response) => response.resume().on("end", resolve))
    .on("error", reject).end();
});
await proxy.close({ drain: 1000 });
const refused: unknown = await createProxy({ listen: "nowhere" }).catch((error: unknown) => error);
console.log(JSON.stringify([records[0]?.status, proxy.connections, refused instanceof UsageError, new Fault("dns_error").status]));
`;

/** A program that uses what a library's user sees most, and runs nowhere. */
const LIBRARY = `
import { createProxy, type Proxy, type ProxyOptions, type RouteAnswer } from "sluice";

const options: ProxyOptions = {
  listen: ["127.0.0.1:0"],
  authenticate: async ({ user, password }, signal) => !signal.aborted && user === password,
  rules: ["deny *:25"],
  route({ target, head }): RouteAnswer {
    if (head?.method === "PUT") return { deny: "read only" };
    if (target.host === "example.test") return { handle: (stream) => stream.readable.pipeTo(stream.writable) };
    return undefined;
  },
  timeouts: { idle: 60_000 },
  limits: { connections: 100 },
  onRecord: ({ fault, datagrams }) => console.log(fault ?? "no fault", datagrams?.dropped ?? 0),
  onTransition: ({ from, event, to }) => console.log(from, event, to),
};
export async function run(): Promise<number> {
  await using proxy: Proxy = await createProxy(options);
  return proxy.totals.sent + proxy.cutUsers((user) => user === "ann");
}
`;

/** What the strictest users ask of the types of a package; `skipLibCheck` is off where nothing is said of it. */
const STRICT = [
  "--strict",
  "--exactOptionalPropertyTypes",
  "--noUncheckedIndexedAccess",
  "--target",
  "es2022",
];
const NODE_TYPES = ["--typeRoots", `${TOOLCHAIN}/compiler/node_modules/@types`, "--types", "node"];

/** Runs the compiler; throws what it complains of. */
async function compile(file: string, flags: readonly string[]): Promise<void> {
  const tsc = `${TOOLCHAIN}/compiler/node_modules/typescript/bin/tsc`;
  await run(RUNTIMES.node20, [tsc, ...STRICT, "--ignoreConfig", ...flags, file], { cwd: INSTALLED })
    .catch(({ stdout, stderr }) => assertEquals(`${stdout}${stderr}`, ""));
}

/** The same without its types, which not every Node strips. */
async function compiled(): Promise<string> {
  writeFileSync(CONSUMER, PROGRAM);
  await compile(CONSUMER, ["--module", "node16", "--moduleResolution", "node16", ...NODE_TYPES]);
  return CONSUMER.replace(/mts$/, "mjs");
}

Deno.test("the installed package is imported by name, with its types, and serves on each Node", async () => {
  await using origin = await httpOrigin();
  const program = await compiled();
  for (const [name, node] of Object.entries(RUNTIMES).filter(([name]) => name in NODES)) {
    const { stdout } = await run(node, [program, `http://${origin.authority}/`]);
    assertEquals(JSON.parse(stdout), [200, 0, true, 502], name);
  }
});

Deno.test("the package's types pass the strictest checks of a bundler's user, who has no types of Node", async () => {
  const file = `${INSTALLED}/library.mts`;
  writeFileSync(file, LIBRARY);
  await compile(file, ["--module", "preserve", "--moduleResolution", "bundler", "--noEmit"]);
});

Deno.test("a file outside the checkout that imports mod.ts passes deno check, also on the way to a run", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-types-"));
  try {
    writeFileSync(`${folder}/main.ts`, LIBRARY.replace('"sluice"', `"${pathToFileURL(`${ROOT}/mod.ts`)}"`));
    // What runs is checked with the command line, which mod.ts may load: so do tests of a library's user.
    for (const command of [["check"], ["run", "--check", "--no-lock"]]) {
      await run(Deno.execPath(), [...command, "--quiet", "main.ts"], { cwd: folder });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("the package has the version of deno.json, and what a stranger needs to know of it", () => {
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const packed = read(`${INSTALLED}/node_modules/sluice/package.json`);
  assertEquals(packed.version, read(`${ROOT}/deno.json`).version);
  assertEquals([packed.name, packed.type, packed.license], ["sluice", "module", "MIT"]);
  assertEquals(Object.keys(packed.exports), ["."]);
  assertMatch(packed.engines.node, /20/);
  // Who installs it gets the version that was tested, and its licence.
  assertEquals(packed.dependencies, { "deno-std": "1.4.0" });
  assertMatch(readFileSync(`${INSTALLED}/node_modules/sluice/LICENSE.std`, "utf8"), /the Deno authors/);
});
