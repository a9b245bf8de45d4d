/**
 * The live view from outside: what is under way, how much has moved so far, and what a reload ends.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import type { Address } from "../../src/runtime/contract.ts";
import { echoOrigin, httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

const USER = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
const USERS = { SLUICE_USER: "ann:secret" };

/** Starts a proxy with an admin listener. */
async function start(
  row: Row,
  flags: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ proxy: ProxyProcess; admin: Address }> {
  const proxy = await ProxyProcess.start(row, ["--admin", "127.0.0.1:0", ...flags], environment);
  const [, [, port]] = await proxy.said(/^listening on 127\.0\.0\.1:(\d+)$/, 2);
  return { proxy, admin: { host: "127.0.0.1", port: Number(port) } };
}

type Shown = Readonly<Record<string, unknown>>;

/** The page of open connections. */
async function connections(proxy: ProxyProcess, admin: Address): Promise<Shown[]> {
  using client = await proxy.connect(admin);
  await client.send("GET /connections HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n");
  const page = await client.message();
  assertEquals([page.status, page.field("content-type")], [200, "application/json; charset=utf-8"]);
  return JSON.parse(page.text).connections;
}

/** The same, once it has as many rows as wanted. */
async function awaitRows(
  proxy: ProxyProcess,
  admin: Address,
  wanted: (rows: Shown[]) => boolean,
): Promise<Shown[]> {
  while (true) {
    const rows = await connections(proxy, admin);
    if (wanted(rows)) return rows;
  }
}

testRows(
  "live: what is under way is shown with its bytes so far, and the metrics count them",
  async (row) => {
    await using origin = await Origin.listen();
    await using web = await httpOrigin();
    const { proxy, admin } = await start(row, [], USERS);
    await using _ = proxy;
    assertEquals(await connections(proxy, admin), []);
    using client = await proxy.connect();
    await client.send(
      `CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n${USER}\r\n\r\n`,
    );
    assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
    using far = await origin.accept();
    await client.send("twelve bytes");
    await far.read(12);
    await far.send("seven..");
    await client.read(7);
    using other = await proxy.connect();
    await other.send(request("GET", `http://${web.authority}/`, USER));
    assertEquals((await other.message()).status, 200);
    const rows = await awaitRows(
      proxy,
      admin,
      (rows) => rows.length === 2 && rows.some(({ state }) => state === "idle"),
    );
    const open = rows.find(({ state }) => state === "open")!;
    const shown = ["user", "protocol", "method", "target", "route", "dialed", "bytes_sent", "bytes_received"];
    assertEquals(shown.map((key) => open[key]), [
      "ann",
      "http",
      "CONNECT",
      origin.authority,
      "direct",
      origin.authority,
      12,
      7,
    ]);
    assertMatch(String(open.client), /^127\.0\.0\.1:\d+$/);
    const idle = rows.find(({ state }) => state === "idle")!;
    assertEquals([idle.user, idle.target, idle.bytes_sent], ["ann", undefined, 0]);
    using metrics = await proxy.connect(admin);
    await metrics.send("GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n");
    assertMatch((await metrics.message()).text, /^sluice_sent_bytes_total 12$/m);
  },
  { permissions: ["-E"] },
);

testRows("live: events come every second until the client leaves, or the proxy stops", async (row) => {
  const { proxy, admin } = await start(row, []);
  await using _ = proxy;
  {
    using left = await proxy.connect(admin);
    await left.send("GET /events HTTP/1.1\r\nHost:\r\n\r\n");
    await left.until("event: connections");
  }
  using client = await proxy.connect(admin);
  await client.send("GET /events HTTP/1.0\r\n\r\n");
  const head = await client.readUntil("\r\n\r\n");
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n/);
  assertMatch(head, /^Content-Type: text\/event-stream; charset=utf-8\r$/m);
  for (let events = 0; events < 2; events++) {
    const event = await client.readUntil("]}\n\n");
    const [, totals] = /^event: totals\ndata: (.*)$/m.exec(event)!;
    assertEquals(JSON.parse(totals).open, 0);
  }
  const stopped = proxy.stop();
  await client.readToEnd();
  assertEquals(await stopped, 0);
});

testRows("live: with workers, each shows the connections of all", async (row) => {
  await using origin = await echoOrigin();
  const { proxy, admin } = await start(row, ["--workers", "2"]);
  await using _ = proxy;
  const clients = await Promise.all(Array.from({ length: 8 }, () => tunnel(proxy, origin.authority)));
  for (let i = 0; i < 4; i++) {
    const rows = await connections(proxy, admin);
    assertEquals(rows.map(({ target }) => target), clients.map(() => origin.authority));
    assertEquals(new Set(rows.map(({ client }) => client)).size, clients.length);
  }
  for (const client of clients) client[Symbol.dispose]();
}, { needs: "workers", permissions: ["-R"] });

testRows("SIGHUP: what the rules no longer allow is ended, and the rest goes on", async (row) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const file = join(folder, "rules");
    await using one = await Origin.listen();
    await using other = await Origin.listen();
    await writeFile(file, "allow *\n");
    for (const flags of [[], ["--keep-tunnels"]]) {
      await writeFile(file, "allow *\n");
      await using proxy = await ProxyProcess.start(row, ["--rules-file", file, ...flags]);
      using denied = await tunnel(proxy, one.authority);
      using allowed = await tunnel(proxy, other.authority);
      using far = await one.accept();
      using near = await other.accept();
      await writeFile(file, `deny *:${one.port}\nallow *\n`);
      proxy.kill("SIGHUP");
      await proxy.said(/Read the files/);
      if (flags.length === 0) {
        await denied.ending();
        const { fault, reason } = await proxy.record(one.authority);
        assertEquals(fault, "http_request_denied");
        assertMatch(String(reason), /^Denied by the rule "deny \*:\d+" \(.*rules:1\)$/);
      } else {
        await denied.send("still");
        assertEquals(String(await far.read(5)), "still");
      }
      await allowed.send("on");
      assertEquals(String(await near.read(2)), "on");
      assert(await other.isUntouched());
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}, { needs: "files", permissions: ["-R", "-W"] });
