/**
 * Exposure: who else than the user of this machine can come to a listener, and what then is there against strangers.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import type { Address } from "../../src/runtime/contract.ts";
import { httpOrigin } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";
import type { Row } from "../support/toolchain.ts";

const BALANCED = "127.0.0.1:0?proxy-protocol=127.0.0.0/8";

/** What a program says that does not start, and its exit code. */
async function refusal(row: Row, ...args: string[]): Promise<string> {
  await using run = new ProgramRun(row, args);
  const exit = await run.exit();
  return `${exit}: ${run.diagnostics.all.join("\n")}`;
}

/** The status of a GET for a private address, behind what a load balancer sends first. */
async function ask(listener: Address, authority: string, header = ""): Promise<number> {
  using client = await connect(listener);
  await client.send(header + request("GET", `http://${authority}/`, "Connection: close"));
  return (await client.message()).status;
}

testRows(
  "exposure: behind a load balancer, users or --allow-open are needed, and the guard is on",
  async (row) => {
    await using origin = await httpOrigin();
    assertMatch(
      await refusal(row, "--listen", BALANCED),
      /^2: .*Refusing to listen on 127\.0\.0\.1:0: proxy-protocol=127\.0\.0\.0\/8 .*--user .*--allow-client.*--allow-open/,
    );
    const header = "PROXY TCP4 203.0.113.7 127.0.0.1 12345 8080\r\n";
    for (
      const [flags, status] of [
        [["--allow-open"], 403],
        [["--allow-open", "--allow-private"], 200],
        [["--allow-client", "203.0.113.0/24"], 403],
      ] as const
    ) {
      await using proxy = await ProxyProcess.start(row, ["--listen", BALANCED, ...flags]);
      assertEquals(await ask(proxy.addresses[1], origin.authority, header), status, flags.join(" "));
    }
  },
);

testRows("exposure: so they are where others may connect to a Unix socket", async (row) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    await using origin = await httpOrigin();
    const path = join(folder, "proxy.sock");
    for (const [mode, ...flags] of [["0660", "--allow-client", "127.0.0.0/8"], ["0606"]]) {
      assertMatch(
        await refusal(row, "--listen", `unix:${path}?mode=${mode}`, ...flags),
        new RegExp(`^2: .*Refusing to listen on unix:.*: mode ${mode} .*0600.*--user.*--allow-open`),
      );
    }
    const open = ["--allow-open", "--listen"];
    for (
      const [flags, status] of [
        [["--listen", `unix:${path}`], 200],
        [[...open, `unix:${path}?mode=0660`], 403],
        [[...open, `unix:${path}?mode=0660`, "--allow-private"], 200],
      ] as const
    ) {
      await using proxy = await ProxyProcess.start(row, flags);
      assertEquals(await ask({ path }, origin.authority), status, flags.join(" "));
      assertEquals(await proxy.stop(), 0);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, { needs: "unix sockets", permissions: ["-R", "-W"] });

testRows(
  "exposure: one listener counts for every worker, also for those that do not serve it",
  async (row) => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    try {
      await using origin = await httpOrigin();
      const flags = ["--workers", "2", "--listen", `unix:${join(folder, "proxy.sock")}?mode=0666`];
      assertMatch(
        await refusal(row, "--listen", "127.0.0.1:0", ...flags),
        /^2: .*Refusing to listen on unix:/,
      );
      await using proxy = await ProxyProcess.start(row, [...flags, "--allow-open"]);
      const statuses = new Set<number>();
      // One of two workers gets none of 32 connections once in 2^31 times.
      for (let i = 0; i < 32; i++) statuses.add(await ask(proxy.addresses[0], origin.authority));
      assertEquals([...statuses], [403]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  { needs: "workers", permissions: ["-R", "-W"] },
);
