/**
 * What a client costs that asks for much, reads some of it, and stops while it stays connected.
 *
 * @module
 */

import { assertEquals, assertLess } from "@std/assert";
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { PATIENCE } from "../support/condition.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";
import type { Row } from "../support/toolchain.ts";

const KIB = 1024;
const PIECE = Buffer.alloc(256 * KIB);

/** An origin that answers a head, however it begins, with one of its own and bytes without end. */
function endlessOrigin(head: string): Promise<Origin> {
  return Origin.listen(async (connection) => {
    await connection.until("\r\n\r\n");
    await connection.send(head);
    while (connection.ended === undefined) await connection.send(PIECE);
  });
}

const KINDS = {
  async tunnel(proxy: ProxyProcess, { authority }: Origin): Promise<RawConnection> {
    const client = await tunnel(proxy, authority);
    await client.send("\r\n\r\n");
    return client;
  },
  async GET(proxy: ProxyProcess, { authority }: Origin): Promise<RawConnection> {
    const client = await proxy.connect();
    await client.send(request("GET", `http://${authority}/`));
    return client;
  },
};

/** Memory that a process has for itself, with its part of what it shares, in KiB (proc(5)). */
async function memoryOf({ pid }: ProxyProcess): Promise<number> {
  const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kilobytes);
}

/** Asks for something small every now and then, so that the process has a reason to collect, until it has less memory. */
async function settlesBelow(
  most: number,
  { proxy, web }: { proxy: ProxyProcess; web: Origin },
): Promise<number> {
  const end = performance.now() + PATIENCE;
  using client = await proxy.connect();
  while (true) {
    for (let i = 0; i < 20; i++) {
      await client.send(request("GET", `http://${web.authority}/`));
      assertEquals((await client.message()).text, "ok");
    }
    const memory = await memoryOf(proxy);
    if (memory < most || performance.now() > end) return memory;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const COUNT = 200;

/** For each reader, in KiB: the longest read of any runtime, and what a connection costs otherwise. */
const STOPPED = 560;

/** What a process has grown by that has served so many, in KiB for each. Half a block for bulk transfers is more. */
const GONE = 120;

let last: Promise<unknown> = Promise.resolve();

/**
 * One row after the other. The readers of all rows together can take all memory that the kernel has for TCP, and it then
 * resets connections of other tests (TCPAbortOnMemory in nstat).
 */
function inTurn(body: (row: Row) => Promise<void>): (row: Row) => Promise<void> {
  return (row) => {
    const mine = last.then(() => body(row));
    last = mine.catch(() => {});
    return mine;
  };
}

for (const [kind, ask] of Object.entries(KINDS)) {
  testRows(
    `T10: a reader that has stopped holds one read, and gives it back when it leaves (${kind})`,
    inTurn(async (row) => {
      await using proxy = await ProxyProcess.start(row);
      await using web = await httpOrigin(() => response("ok"));
      const head = kind === "GET" ? "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" : "";
      await using origin = await endlessOrigin(head);
      const stop = async (count: number): Promise<RawConnection[]> => {
        const readers: RawConnection[] = [];
        for (let i = 0; i < count; i++) {
          const reader = await ask(proxy, origin);
          await reader.read(PIECE.length);
          reader.pause();
          readers.push(reader);
        }
        return readers;
      };
      // What a process needs to serve at all is not to be counted.
      for (const reader of await stop(5)) reader[Symbol.dispose]();
      const before = await memoryOf(proxy);
      const readers = await stop(COUNT);
      const stopped = await settlesBelow(before + COUNT * STOPPED, { proxy, web });
      assertLess((stopped - before) / COUNT, STOPPED);
      for (const reader of readers) reader[Symbol.dispose]();
      const gone = await settlesBelow(before + COUNT * GONE, { proxy, web });
      assertLess((gone - before) / COUNT, GONE);
      assertEquals(await proxy.stop(), 0);
    }),
  );
}
