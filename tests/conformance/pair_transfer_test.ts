/**
 * What goes through a pair arrives whole, and memory stays where it is.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { digest } from "./exchanges.ts";
import { assertClientMayEndFirst, assertOriginMayEndFirst, TUNNELS } from "./half_close.ts";
import { keys, pairTest } from "./pair_suite.ts";
import { Origin } from "../support/origin.ts";
import { Pair } from "../support/pair.ts";
import type { ProxyProcess } from "../support/proxy.ts";

const MIB = 1024 * 1024;

pairTest("the client's FIN, and 3 MiB down behind it", async (row) => {
  await using pair = await Pair.start(row, keys);
  await assertClientMayEndFirst(pair.local);
}, { needs: "half-close over TLS" });

pairTest("the origin's FIN, and 2 MiB up behind it", async (row) => {
  await using pair = await Pair.start(row, keys);
  await assertOriginMayEndFirst(pair.local);
}, { needs: "half-close over TLS" });

pairTest("a download that ends, and an upload that ends, arrive whole", async (row) => {
  await using pair = await Pair.start(row, keys);
  await using origin = await Origin.listen();
  const bytes = randomBytes(3 * MIB);
  for (const open of Object.values(TUNNELS)) {
    for (const way of ["down", "up"]) {
      using client = await open(pair.local, origin);
      using target = await origin.accept();
      const [from, to] = way === "down" ? [target, client] : [client, target];
      const [received] = await Promise.all([to.readToEnd(), from.send(bytes).then(() => from.end())]);
      assertEquals(digest(received), digest(bytes), way);
    }
  }
});

/** Resident memory in bytes (proc(5)). */
async function residentBytes({ pid }: ProxyProcess): Promise<number> {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

/** A tunnel that is not read from until it is drained; that settles with the digest of all that came. */
async function unreadTunnel(port: number, authority: string): Promise<{ drain(): Promise<string> }> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const [head] = await once(socket, "data");
  socket.pause();
  assertMatch(head.toString("latin1"), /^HTTP\/1\.1 200 [^\r]*\r\n\r\n$/);
  return {
    async drain() {
      const hash = createHash("sha256");
      for await (const bytes of socket) hash.update(bytes);
      return hash.digest("hex");
    },
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** MiB that a tunnel carries before it is measured, and then. */
const [WARM_UP, SIZE] = [64, 160];

pairTest(
  "a client that stops reading makes neither half grow, and gets every byte in the end",
  async (row) => {
    await using pair = await Pair.start(row, keys);
    await using origin = await Origin.listen();
    const halves = [pair.local, pair.remote];
    const chunk = randomBytes(MIB);
    // What the first tunnel takes it takes for all: code, TLS, buffers.
    for (const size of [WARM_UP, SIZE]) {
      const hash = createHash("sha256");
      const client = await unreadTunnel(pair.local.port, origin.authority);
      using target = await origin.accept();
      const start = await Promise.all(halves.map(residentBytes));
      let sent = 0;
      const sending = (async () => {
        for (; sent < size; sent++) {
          hash.update(chunk);
          await target.send(chunk);
        }
        target.end();
      })();
      // It is stuck when nothing more was taken for a while.
      for (let before = -1; sent === 0 || before !== sent; await pause(500)) before = sent;
      const stuck = sent;
      const growth = [0, 0];
      const watch = async () => {
        const now = await Promise.all(halves.map(residentBytes));
        for (const i of growth.keys()) growth[i] = Math.max(growth[i], now[i] - start[i]);
      };
      await watch();
      const whileStuck = Math.max(...growth);
      let over = false;
      const received = client.drain().finally(() => over = true);
      for (; !over; await pause(50)) await watch();
      await sending;
      assertEquals(await received, hash.digest("hex"));
      if (size === WARM_UP) continue;
      const measured = `stuck at ${stuck} MiB, grown by ${
        growth.map((bytes) => (bytes / MIB).toFixed(1))
      } MiB`;
      if (Deno.env.has("SLUICE_LOAD")) console.log(`${row.name}: ${measured}`);
      // Behind that they may have garbage of what went through, but never all of it.
      assert(stuck < size / 2 && whileStuck < 48 * MIB && Math.max(...growth) < SIZE / 2 * MIB, measured);
    }
  },
);
