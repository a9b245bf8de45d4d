/**
 * Several workers behind the same listeners: what a client, an operator and a script see of them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { selfSigned } from "../../src/tls/certificate.ts";
import { PATIENCE } from "../support/condition.ts";
import { eventually as pollUntil } from "../support/waiting.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { childrenOf, ProgramRun, ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";
import { type Row, rows } from "../support/toolchain.ts";

const WORKERS = ["--workers", "2"];
const READ = { needs: "workers", permissions: ["-R"] } as const;
const FILES = { needs: "workers", permissions: ["-R", "-W"] } as const;
const PROCESSES = { needs: "worker processes", permissions: ["-R"] } as const;

/** So many that one of two workers gets none of them once in 2^31 times. */
const MANY = 32;

/** The worker that a record comes from. */
function workerOf(line: string): string {
  return String(JSON.parse(line).id).split("-")[0];
}

/** Whether a process runs. A zombie does not: it has no program any more. */
function runs(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`);
}

/** A worker that starts may take as long as any program that a test starts. */
function eventually(met: () => boolean | Promise<boolean>, message: string): Promise<void> {
  return pollUntil(met, message, PATIENCE);
}

async function get(proxy: ProxyProcess, uri: string): Promise<number> {
  using client = await proxy.connect();
  await client.send(request("GET", uri, "Connection: close"));
  return (await client.message()).status;
}

/** A target that answers a greeting, and then sends FIN for FIN. */
function greeted(): Promise<Origin> {
  return Origin.listen(async (connection) => {
    await connection.send(await connection.readUntil("hello"));
    await connection.readToEnd();
    connection.end();
    await connection.ending();
  });
}

/** Whether a tunnel still carries bytes in both directions. */
async function carries(client: RawConnection): Promise<boolean> {
  await client.send("hello").catch(() => {});
  return await client.readUntil("hello").then(() => true, () => false);
}

testRows(
  "--workers: all serve, one line tells of each listener, and records are whole lines",
  async (row) => {
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, [...WORKERS, "--listen", "socks5://127.0.0.1:0"]);
    const visits = 200;
    for (let left = visits; left > 0; left -= 20) {
      const statuses = await Promise.all(
        Array.from({ length: 20 }, () => get(proxy, `http://${origin.authority}/${"x".repeat(500)}`)),
      );
      assertEquals(new Set(statuses), new Set([200]));
    }
    assertEquals(await proxy.stop(), 0);
    assertEquals(proxy.output.all.length, visits);
    assertEquals(new Set(proxy.output.all.map(workerOf)).size, 2);
    assertEquals(new Set(proxy.output.all.map((line) => JSON.parse(line).id)).size, visits);
    assertEquals(proxy.diagnostics.all.filter((line) => line.startsWith("listening on ")).length, 2);
  },
  READ,
);

/** The bytes from targets to clients, as the proxy's own page tells them. */
async function receivedBytes(proxy: ProxyProcess): Promise<number> {
  using client = await proxy.connect();
  await client.send(`GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:${proxy.port}\r\nConnection: close\r\n\r\n`);
  const { text } = await client.message();
  return Number(/^sluice_received_bytes_total (\d+)$/m.exec(text)?.[1]);
}

testRows("--workers: whichever of them is asked, it tells what all of them have done", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, WORKERS);
  for (let left = MANY; left > 0; left--) await get(proxy, `http://${origin.authority}/`);
  const all = MANY * "ok".length;
  await eventually(async () => {
    for (let left = MANY; left > 0; left--) if (await receivedBytes(proxy) !== all) return false;
    return true;
  }, `They do not all tell of ${all} bytes`);
}, READ);

testRows(
  "--workers: one that is killed is replaced, and the connections of the others go on",
  async (row) => {
    await using origin = await httpOrigin();
    await using echo = await greeted();
    await using proxy = await ProxyProcess.start(row, WORKERS);
    const clients = await Promise.all(Array.from({ length: MANY }, () => tunnel(proxy, echo.authority)));
    const workers = childrenOf(proxy.pid);
    assertEquals(workers.length, 2);
    process.kill(workers[0], "SIGKILL");
    await proxy.said(/A worker .* was killed by SIGKILL: starting another/);
    await eventually(() => clients.some(({ ended }) => ended !== undefined), "No client has lost its worker");
    const living = await Promise.all(clients.map((client) => client.ended === undefined && carries(client)));
    assert(living.includes(true), "The other worker's clients were cut off, too");
    for (const client of clients) client[Symbol.dispose]();
    await eventually(async () => {
      assertEquals(await get(proxy, `http://${origin.authority}/`), 200);
      const seen = proxy.output.all.filter((line) => JSON.parse(line).method === "GET").map(workerOf);
      return new Set(seen).size === 2;
    }, "The worker was not replaced");
    assertEquals(childrenOf(proxy.pid).filter((pid) => workers.includes(pid)), [workers[1]]);
    assertEquals(await proxy.stop(), 0);
  },
  PROCESSES,
);

testRows("--workers: SIGTERM drains all of them, and nothing is left", async (row) => {
  await using echo = await greeted();
  await using proxy = await ProxyProcess.start(row, WORKERS);
  const clients = await Promise.all(Array.from({ length: MANY }, () => tunnel(proxy, echo.authority)));
  const workers = childrenOf(proxy.pid);
  proxy.kill("SIGTERM");
  await proxy.said(/Stopping at SIGTERM/, 2);
  for (const client of clients) assert(await carries(client));
  assert(proxy.alive, "It ended before its tunnels did");
  for (const client of clients) {
    client.end();
    await client.readToEnd();
    client[Symbol.dispose]();
  }
  assertEquals(await proxy.exit(), 0);
  assertEquals(workers.filter(runs), []);
  assertEquals(new Set(proxy.output.all.map(workerOf)).size, 2);
}, READ);

testRows("--workers: a second signal ends all of them at once", async (row) => {
  await using echo = await greeted();
  await using proxy = await ProxyProcess.start(row, WORKERS);
  const clients = await Promise.all(Array.from({ length: MANY }, () => tunnel(proxy, echo.authority)));
  proxy.kill("SIGTERM");
  await proxy.said(/Stopping at SIGTERM/, 2);
  proxy.kill("SIGINT");
  assertEquals(await proxy.exit(), 130);
  for (const client of clients) {
    await client.ending();
    client[Symbol.dispose]();
  }
}, READ);

testRows("--workers: none outlives the process that has started them, however that ends", async (row) => {
  await using proxy = await ProxyProcess.start(row, WORKERS);
  const workers = childrenOf(proxy.pid);
  proxy.kill("SIGKILL");
  assertEquals(await proxy.exit(), "SIGKILL");
  await eventually(() => !workers.some(runs), "A worker still runs");
  await eventually(async () => {
    const client = await proxy.connect().catch(({ code }: NodeJS.ErrnoException) => code);
    if (typeof client === "object") client[Symbol.dispose]();
    return client === "ECONNREFUSED";
  }, "Somebody still listens");
}, READ);

testRows("--workers: SIGHUP reaches all of them", async (row) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    const rules = join(folder, "rules");
    await Deno.writeTextFile(rules, "allow *\n");
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, [...WORKERS, "--rules-file", rules]);
    await Deno.writeTextFile(rules, "deny *\n");
    proxy.kill("SIGHUP");
    await proxy.said(/Read the files .* anew/, 2);
    for (let left = MANY; left > 0; left--) {
      assertEquals(await get(proxy, `http://${origin.authority}/`), 403);
    }
    await Deno.writeTextFile(rules, "no rule\n");
    proxy.kill("SIGHUP");
    await proxy.said(/Everything stays as it was/);
    for (let left = MANY; left > 0; left--) {
      assertEquals(await get(proxy, `http://${origin.authority}/`), 403);
    }
    assertEquals(await proxy.stop(), 0);
    const told = proxy.diagnostics.all.filter((line) => /Everything stays|Read the files/.test(line));
    assertEquals(told.length, 3, "A broken file is told once");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, READ);

testRows("--workers: one that is replaced has the configuration that is in force", async (row) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    const [rules, hosts, cert, key] = ["rules", "hosts", "cert", "key"].map((name) => join(folder, name));
    const pair = selfSigned("127.0.0.1", { now: new Date(), days: 1 });
    const texts = {
      [rules]: "allow *\n",
      [hosts]: "127.0.0.1 here.test\n",
      [cert]: pair.cert,
      [key]: pair.key,
    };
    for (const [path, text] of Object.entries(texts)) await Deno.writeTextFile(path, text);
    await using origin = await httpOrigin();
    const listener = `http+tls://127.0.0.1:0?cert=${cert}&key=${key}`;
    const flags = ["--rules-file", rules, "--hosts-file", hosts, "--listen", listener];
    await using proxy = await ProxyProcess.start(row, [...WORKERS, ...flags]);
    await Deno.writeTextFile(rules, "deny blocked.test\n");
    proxy.kill("SIGHUP");
    await proxy.said(/Read the files .* anew/, 2);
    for (const path of Object.keys(texts)) await Deno.writeTextFile(path, "broken\n");
    proxy.kill("SIGHUP");
    await proxy.said(/Everything stays as it was/);
    for (const path of Object.keys(texts)) await Deno.remove(path);
    const seen = new Set<string>();
    /** The worker that is killed takes some clients with it. */
    const visit = async (status: 200 | 403): Promise<void> => {
      const authority = status === 200 ? `here.test:${origin.port}` : "blocked.test";
      assertEquals(await get(proxy, `http://${authority}/`).catch(() => status), status);
    };
    process.kill(childrenOf(proxy.pid)[0], "SIGKILL");
    await proxy.said(/was killed by SIGKILL: starting another/);
    await eventually(async () => {
      // Many at once, or the worker that is awake might take them all.
      await Promise.all(Array.from({ length: MANY }, (_, i) => i % 2 === 0 ? visit(200) : visit(403)));
      for (const line of proxy.output.all) seen.add(workerOf(line));
      return seen.size === 2;
    }, "The worker was not replaced");
    assertEquals(proxy.diagnostics.all.filter((line) => /exit code/.test(line)), []);
    assertEquals(await proxy.stop(), 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, PROCESSES);

/** Runs it until it ends by itself. */
async function failing(
  row: Row,
  ...args: string[]
): Promise<{ exit: number | string; told: readonly string[] }> {
  await using program = new ProgramRun(row, [...WORKERS, "--listen", "127.0.0.1:0", ...args]);
  return { exit: await program.exit(), told: program.diagnostics.all };
}

testRows("--workers: what cannot be used is told once, with exit code 2", async (row) => {
  const wrong = [
    ["--max-connections", "0"],
    ["--max-connections", "1"],
    ["--rules-file", "/nonexistent/rules"],
    ["--access-log", "/nonexistent/log"],
    ["--listen", "0.0.0.0:0"],
  ];
  for (const args of wrong) {
    const { exit, told } = await failing(row, ...args);
    assertEquals([exit, told.length], [2, 1], told.join("\n"));
    assertMatch(told[0], /^sluice: /);
  }
}, FILES);

testRows(
  "--workers: a port in use is told once, with exit code 1, also if other workers use it",
  async (row) => {
    await using origin = await Origin.listen();
    await using proxy = await ProxyProcess.start(row, WORKERS);
    for (const authority of [origin.authority, `127.0.0.1:${proxy.port}`]) {
      const { exit, told } = await failing(row, "--listen", authority);
      assertEquals([exit, told.length], [1, 1], told.join("\n"));
      assertMatch(told[0], /^sluice: .*in use/);
    }
    assertEquals(await proxy.stop(), 0);
    await using again = await ProxyProcess.start(row, [...WORKERS, "--listen", `127.0.0.1:${proxy.port}`]);
    assertEquals(again.addresses[1], proxy.addresses[0]);
  },
  READ,
);

testRows("--workers: --max-connections is for all of them together", async (row) => {
  await using echo = await Origin.listen();
  await using proxy = await ProxyProcess.start(row, [...WORKERS, "--max-connections", "4"]);
  const clients = await Promise.all(Array.from({ length: MANY }, () => proxy.connect()));
  const statuses = await Promise.all(clients.map(async (client) => {
    await client.send(`CONNECT ${echo.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
    return /^HTTP\/1\.1 (\d+)/.exec(await client.readUntil("\r\n\r\n"))![1];
  }));
  assertEquals(statuses.filter((status) => status === "200").length, 4);
  assertEquals(statuses.filter((status) => status === "503").length, MANY - 4);
  for (const client of clients) client[Symbol.dispose]();
}, READ);

testRows("--workers: --max-per-client is for all of them together, and exact", async (row) => {
  await using echo = await greeted();
  await using proxy = await ProxyProcess.start(row, [...WORKERS, "--max-per-client", "3"]);
  const served = async (clients: readonly RawConnection[]): Promise<RawConnection[]> => {
    const statuses = await Promise.all(clients.map(async (client) => {
      await client.send(`CONNECT ${echo.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return /^HTTP\/1\.1 (\d+)/.exec(await client.readUntil("\r\n\r\n"))![1];
    }));
    return clients.filter((_, i) => statuses[i] === "200");
  };
  const clients = await Promise.all(Array.from({ length: MANY }, () => proxy.connect()));
  const first = await served(clients);
  assertEquals(first.length, 3);
  for (const client of first) client[Symbol.dispose]();
  await eventually(async () => {
    const next = await proxy.connect();
    clients.push(next);
    return (await served([next])).length === 1;
  }, "The places did not come back");
  for (const client of clients) client[Symbol.dispose]();
}, READ);

testRows("--workers: one of them serves a Unix socket, and its file goes with it", async (row) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    const path = join(folder, "proxy.sock");
    await using origin = await httpOrigin();
    await using proxy = await ProxyProcess.start(row, [...WORKERS, "--listen", `unix:${path}`]);
    for (let left = MANY; left > 0; left--) {
      using client = await proxy.connect({ path });
      await client.send(request("GET", `http://${origin.authority}/`, "Connection: close"));
      assertEquals((await client.message()).status, 200);
    }
    assertEquals(await proxy.stop(), 0);
    assertEquals(new Set(proxy.output.all.map(workerOf)).size, 1);
    assert(!existsSync(path), "The socket's file is still there");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, FILES);

for (const row of rows().filter(({ lacks }) => lacks.workers !== undefined)) {
  Deno.test(`--workers: where there can be none, that is told with exit code 2 (${row.name})`, async () => {
    const { exit, told } = await failing(row);
    assertEquals([exit, told.length], [2, 1], told.join("\n"));
    assertMatch(told[0], /^sluice: Cannot run 2 workers: .*-R/);
  });
}
