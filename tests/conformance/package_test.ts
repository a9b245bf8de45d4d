/**
 * The npm package as a library: imported by name from the folder that it is installed in, and typed.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { httpOrigin } from "../support/origin.ts";
import { INSTALLED, NODES, ROOT, RUNTIMES, TOOLCHAIN } from "../../scripts/toolchain.ts";
import { setUp } from "../support/toolchain.ts";

setUp();

const run = promisify(execFile);

/** A program as a user of the library would write it: it serves one request, and tells what was recorded. */
const CONSUMER = `${INSTALLED}/consumer.mts`;
const PROGRAM = `
import { type AccessRecord, createProxy, Fault, type ProxyOptions, UsageError } from "sluice";
import { request } from "node:http";

const records: AccessRecord[] = [];
const options: ProxyOptions = { listen: "127.0.0.1:0", onRecord: (record) => records.push(record) };
const proxy = await createProxy(options);
const [address] = proxy.addresses;
if (!("port" in address)) throw new TypeError("It does not listen on TCP");
const path = process.argv[2];
await new Promise<void>((resolve, reject) => {
  request({ host: address.host, port: address.port, path }, (response) => response.resume().on("end", resolve))
    .on("error", reject).end();
});
await proxy.close({ drain: 1000 });
const refused: unknown = await createProxy({ listen: "nowhere" }).catch((error: unknown) => error);
console.log(JSON.stringify([records[0]?.status, proxy.connections, refused instanceof UsageError, new Fault("dns_error").status]));
`;

/** The same without its types, which not every Node strips. */
async function compiled(): Promise<string> {
  writeFileSync(CONSUMER, PROGRAM);
  const tsc = `${TOOLCHAIN}/compiler/node_modules/typescript/bin/tsc`;
  const types = ["--typeRoots", `${TOOLCHAIN}/compiler/node_modules/@types`, "--types", "node"];
  const flags = ["--strict", "--module", "nodenext", "--target", "es2022", "--ignoreConfig", ...types];
  await run(RUNTIMES.node20, [tsc, ...flags, CONSUMER], { cwd: INSTALLED });
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
