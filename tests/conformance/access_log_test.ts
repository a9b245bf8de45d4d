/**
 * The access log as an operator sees it: how large its lines get, where they go, and that none is lost or torn.
 *
 * @module
 */

import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { type Folder, folder } from "../support/folder.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { childrenOf, ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

const FILES = { needs: "files", permissions: ["-R", "-W"] } as const;

/** A named pipe in a folder. */
function namedPipe({ path }: Folder): string {
  const pipe = join(path, "pipe");
  execFileSync("mkfifo", [pipe]);
  return pipe;
}

async function get(proxy: ProxyProcess, uri: string): Promise<number> {
  using client = await proxy.connect();
  await client.send(request("GET", uri, "Connection: close"));
  return (await client.message()).status;
}

testRows(
  "access log: a record has less than 4,096 bytes, however long the target and what it escapes to",
  async (row) => {
    await using origin = await httpOrigin();
    for (const format of ["text", "json"]) {
      await using proxy = await ProxyProcess.start(row, ["--log-format", format]);
      using client = await proxy.connect();
      const target = `http://${origin.authority}/${'"'.repeat(60_000)}`;
      await client.send(`GET ${target} HTTP/1.1\r\nHost: ${origin.authority}\r\nConnection: close\r\n\r\n`);
      await client.message();
      const line = await proxy.output.find((line) => line.includes(origin.authority));
      assertLess(line.length, 4_096);
      assertStringIncludes(line, "...");
      assertEquals(await proxy.stop(), 0);
    }
  },
);

testRows("access log: queries of targets are left out unless --log-query is given", async (row) => {
  await using origin = await httpOrigin();
  const uri = `http://${origin.authority}/page?token=secret`;
  for (const flags of [[], ["--log-query"]]) {
    await using proxy = await ProxyProcess.start(row, flags);
    await get(proxy, uri);
    const line = await proxy.output.find((line) => line.includes("/page?"));
    assertEquals(line.includes("secret"), flags.length > 0, line);
    assertEquals(await proxy.stop(), 0);
  }
});

testRows(
  "access log: a named pipe without a reader does not hold the start up, and loses nothing",
  async (row) => {
    using place = folder();
    const pipe = namedPipe(place);
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, ["--access-log", pipe]);
    await get(proxy, `http://${origin.authority}/early`);
    const read = readFile(pipe, "utf8");
    assertEquals(await proxy.stop(), 0);
    assertStringIncludes(await read, `${origin.authority}/early`);
  },
  FILES,
);

testRows("access log: long lines of several workers come through a pipe whole", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, ["--workers", "2"]);
  const path = "x".repeat(6_000);
  const count = 100;
  await Promise.all(
    Array.from({ length: count }, (_, i) => get(proxy, `http://${origin.authority}/${i}/${path}`)),
  );
  assertEquals(await proxy.stop(), 0);
  const numbers = proxy.output.all.map((line) =>
    Number(new URL(JSON.parse(line).target).pathname.split("/")[1])
  );
  assertEquals(numbers.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  assert(new Set(proxy.output.all.map((line) => JSON.parse(line).id.split("-")[0])).size > 1);
}, { needs: "workers", permissions: ["-R"] });

testRows("access log: SIGHUP opens the file anew, so that a renamed one gets no more", async (row) => {
  await rotates(row, []);
}, FILES);

testRows("access log: SIGHUP opens the file anew for each of several workers", async (row) => {
  await rotates(row, ["--workers", "2"]);
}, { needs: "workers", permissions: ["-R", "-W"] });

async function rotates(row: Row, flags: string[]): Promise<void> {
  using place = folder();
  const [log, rules] = [join(place.path, "access.log"), join(place.path, "rules")];
  await writeFile(rules, "allow *\n");
  await using origin = await httpOrigin();
  const files = ["--access-log", log, "--rules-file", rules];
  await using proxy = await ProxyProcess.start(row, [...flags, ...files]);
  await get(proxy, `http://${origin.authority}/before`);
  await writeFile(rules, "neither allow nor deny\n");
  await rename(log, `${log}.1`);
  proxy.kill("SIGHUP");
  await proxy.said(/Everything stays as it was/);
  await proxy.said(/Opened the access log anew/, flags.length === 0 ? 1 : 2);
  for (let left = 32; left > 0; left--) await get(proxy, `http://${origin.authority}/after`);
  assertEquals(await proxy.stop(), 0);
  const [old, renewed] = await Promise.all([readFile(`${log}.1`, "utf8"), readFile(log, "utf8")]);
  assertEquals([old.match(/\/before/g)?.length, old.includes("/after")], [1, false]);
  assertEquals([renewed.match(/\/after/g)?.length, renewed.includes("/before")], [32, false]);
}

for (
  const [what, flags, needs] of [["", [], undefined], ["--workers: ", ["--workers", "2"], "workers"]] as const
) {
  testRows(
    `${what}a second signal, and the end of the drain, leave a record of what was open`,
    async (row) => {
      for (const signal of ["SIGINT", undefined] as const) {
        const drain = signal ? [] : ["--drain-timeout", "200ms"];
        await using proxy = await ProxyProcess.start(row, [...flags, ...drain]);
        await using origin = await Origin.listen();
        using client = await tunnel(proxy, origin.authority);
        using target = await origin.accept();
        await client.send("some");
        assertEquals(await target.readUntil("some"), "some");
        proxy.kill("SIGTERM");
        await proxy.said(/Stopping at SIGTERM.*; a second Ctrl-C, or signal, ends them at once/);
        if (signal) proxy.kill(signal);
        assertEquals(await proxy.exit(), signal ? 130 : 0);
        const record = await proxy.record(origin.authority);
        assertEquals([record.fault, record.ending, record.bytes_sent], ["proxy_shutdown", "aborted", 4]);
      }
    },
    { needs, permissions: ["-R"] },
  );
}

testRows("access log: records that a pipe does not take before the end are counted and told", async (row) => {
  using place = folder();
  const pipe = namedPipe(place);
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, ["--access-log", pipe]);
  // A pipe holds 64 KiB, and nobody reads this one.
  const path = "x".repeat(1_900);
  for (let i = 0; i < 40; i++) await get(proxy, `http://${origin.authority}/${path}`);
  assertEquals(await proxy.stop(), 0);
  const told = proxy.diagnostics.all.map((line) => /(\d+) records are missing/.exec(line)?.[1]);
  const lost = told.reduce((sum, count) => sum + Number(count ?? 0), 0);
  assert(lost > 0 && lost < 40, proxy.diagnostics.all.join("\n"));
}, FILES);

testRows("access log: a worker that is replaced serves although the file cannot be opened", async (row) => {
  using place = folder();
  const logs = join(place.path, "logs");
  mkdirSync(logs);
  await using origin = await httpOrigin();
  const flags = ["--workers", "2", "--access-log", join(logs, "access.log")];
  await using proxy = await ProxyProcess.start(row, flags);
  renameSync(logs, join(place.path, "moved"));
  process.kill(childrenOf(proxy.pid)[0], "SIGKILL");
  await proxy.said(/was killed by SIGKILL: starting another/);
  await proxy.said(/Cannot open the access log/);
  for (let i = 0; i < 20; i++) assertEquals(await get(proxy, `http://${origin.authority}/`), 200);
  assertEquals(await proxy.stop(), 0);
  assertEquals(proxy.diagnostics.all.filter((line) => /exit code/.test(line)), []);
}, { needs: "worker processes", permissions: ["-R", "-W"] });
