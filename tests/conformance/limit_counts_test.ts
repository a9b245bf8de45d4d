/**
 * Where the counts of limits are kept: shared by workers, over a restart, and by several machines.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import { RedisServer } from "../support/redis_server.ts";
import { eventually } from "../support/waiting.ts";

/** The statuses of so many requests, each over a connection of its own, over all the proxies in turn. */
async function statuses(proxies: readonly ProxyProcess[], uri: string, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    using client = await proxies[i % proxies.length].connect();
    await client.send(request("GET", uri, "Connection: close"));
    all.push((await client.message()).status);
  }
  return all;
}

function ok(all: readonly number[]): number {
  assertEquals(all.filter((status) => status !== 200 && status !== 429), []);
  return all.filter((status) => status === 200).length;
}

testRows("limits: workers share their counts", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, ["--workers", "2", "--limit", "* to 20 requests/day"]);
  assertEquals(ok(await statuses([proxy], `http://${origin.authority}/`, 40)), 20);
}, { needs: "workers", permissions: ["-R"] });

testRows("limits: quotas are kept over a restart, and a broken file is set aside", async (row) => {
  await using origin = await httpOrigin();
  using place = folder();
  const state = join(place.path, "state.json");
  const flags = ["--state", state, "--limit", "* to 5 requests/day per client"];
  const uri = `http://${origin.authority}/`;
  {
    await using proxy = await ProxyProcess.start(row, flags);
    assertEquals(ok(await statuses([proxy], uri, 3)), 3);
    assertEquals(await proxy.stop(), 0);
  }
  assertMatch(await readFile(state, "utf8"), /"used":3/);
  {
    await using proxy = await ProxyProcess.start(row, flags);
    assertEquals(ok(await statuses([proxy], uri, 4)), 2);
    assertEquals(await proxy.stop(), 0);
  }
  await writeFile(state, "{");
  await using proxy = await ProxyProcess.start(row, flags);
  await proxy.said(/The state file ".*" is broken: it is now ".*\.broken"/);
  assertEquals(ok(await statuses([proxy], uri, 7)), 5);
}, { needs: "files", permissions: ["-R", "-W"] });

const STORE = { programs: ["redis-server"], permissions: ["-R"] } as const;

testRows("limits: two machines share the counts of a store, and go on without it", async (row) => {
  await using origin = await httpOrigin();
  await using store = await RedisServer.start();
  const flags = ["--store", store.url, "--limit", "* to 40 requests/day", "--limit", "* to 30 connections"];
  await using first = await ProxyProcess.start(row, flags);
  await using second = await ProxyProcess.start(row, flags);
  const both = [first, second];
  const uri = `http://${origin.authority}/`;
  let served = ok(await statuses(both, uri, 20));
  assertEquals(served, 20);
  await store.kill();
  for (const proxy of both) await proxy.said(/The store redis:\/\/127\.0\.0\.1:\d+\/0 cannot be reached/);
  served += ok(await statuses(both, uri, 4));
  assertEquals(served, 24, "Each has its share of the 20 that are left");
  await store.start();
  for (const proxy of both) await proxy.said(/The store .* is back/);
  served += ok(await statuses(both, uri, 40));
  // A lease is 1 of 40, and each of the two may have lost one with the store.
  assert(served >= 38 && served <= 42, `${served} of 40 were served`);
}, STORE);

testRows("limits: the password of a store is read from a file, and no log has it", async (row) => {
  await using origin = await httpOrigin();
  using place = folder();
  const file = join(place.path, "password");
  await writeFile(file, "s3cr3t/@:\n");
  await using store = await RedisServer.start("--requirepass", "s3cr3t/@:");
  const limit = ["--limit", "* to 2 requests/day"];
  const address = `redis://default@127.0.0.1:${store.port}`;
  await using first = await ProxyProcess.start(row, ["--store", `${address}?password=${file}`, ...limit]);
  await using second = await ProxyProcess.start(row, ["--store", `${address}?password=${file}`, ...limit]);
  assertEquals(ok(await statuses([first, second], `http://${origin.authority}/`, 6)), 2);
  await using wrong = await ProxyProcess.start(row, ["--store", address.replace("@", ":wr0ng@"), ...limit]);
  await wrong.said(/The store redis:\/\/127\.0\.0\.1:\d+ cannot be reached \(WRONGPASS /);
  for (const { diagnostics } of [first, second, wrong]) {
    assert(!/s3cr3t|wr0ng/.test(diagnostics.all.join()), diagnostics.all.join("\n"));
  }
}, STORE);

testRows("limits: a store that hangs is done without, and used again when it answers", async (row) => {
  await using origin = await httpOrigin();
  await using store = await RedisServer.start();
  await using proxy = await ProxyProcess.start(row, [
    "--store",
    store.url,
    "--limit",
    "* to 10 requests/day",
  ]);
  const uri = `http://${origin.authority}/`;
  assertEquals(ok(await statuses([proxy], uri, 4)), 4);
  store.pause(true);
  let served = 4 + ok(await statuses([proxy], uri, 2));
  await proxy.said(
    /cannot be reached \(No answer within 1000 ms\): this machine goes on with the limits by itself/,
  );
  store.pause(false);
  await proxy.said(/The store .* is back/);
  served += ok(await statuses([proxy], uri, 10));
  assert(served >= 9 && served <= 10, `${served} of 10 were served`);
}, STORE);

testRows(
  "limits: two machines share connections, and one that is killed holds none after a while",
  async (row) => {
    await using origin = await Origin.listen();
    await using store = await RedisServer.start();
    const flags = ["--store", store.url, "--limit", "* to 3 connections"];
    await using first = await ProxyProcess.start(row, flags);
    const held = [await tunnel(first, origin.authority), await tunnel(first, origin.authority)];
    await using second = await ProxyProcess.start(row, flags);
    using third = await tunnel(second, origin.authority);
    async function opens(): Promise<boolean> {
      const client = await second.connect();
      await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const answer = await client.readUntil("\r\n\r\n");
      client[Symbol.dispose]();
      return answer.startsWith("HTTP/1.1 200");
    }
    assertEquals(await opens(), false);
    first.kill("SIGKILL");
    await eventually(opens, "The places of the killed machine are free", 20_000);
    for (const client of held) client[Symbol.dispose]();
    assert(third.ended === undefined);
  },
  STORE,
);

testRows(
  "limits: two machines share a bandwidth, while the store is killed and started again",
  async (row) => {
    const size = 3_000_000;
    await using origin = await Origin.listen(async (connection) => {
      await connection.readUntil("go");
      await connection.send(Buffer.alloc(size, "x")).catch(() => {});
      connection.end();
    });
    await using store = await RedisServer.start();
    const flags = ["--store", store.url, "--limit", "* to 1MB/s down"];
    await using first = await ProxyProcess.start(row, flags);
    await using second = await ProxyProcess.start(row, flags);
    const clients = [await tunnel(first, origin.authority), await tunnel(second, origin.authority)];
    const began = performance.now();
    for (const client of clients) await client.send("go");
    const sizes = Promise.all(clients.map(async (client) => (await client.readToEnd()).length));
    await eventually(() => clients[0].received.length > size / 4, "A quarter has come", 5_000);
    await store.kill();
    await eventually(() => clients[0].received.length > size / 2, "Half has come", 5_000);
    await store.start();
    assertEquals(await sizes, [size, size]);
    const seconds = (performance.now() - began) / 1_000;
    assert(seconds > 5.5 && seconds < 9, `6 MB at 1 MB/s took ${seconds} s`);
    for (const client of clients) client[Symbol.dispose]();
  },
  STORE,
);
