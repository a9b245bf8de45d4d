/**
 * What is judged when a connection is dialed is judged again whenever a kept one is used: by the rules and the guard, for
 * the user who asks now.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { addressRecords, NameServer } from "../support/name_server.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

function as(user: string): string {
  return `Proxy-Authorization: Basic ${Buffer.from(`${user}:secret`).toString("base64")}`;
}

async function status(proxy: ProxyProcess, uri: string, user: string): Promise<number> {
  using client = await proxy.connect();
  await client.send(request("GET", uri, as(user)));
  return (await client.message()).status;
}

testRows("reuse: a connection that one user may use is no way past the rules of another", async (row) => {
  await using names = await NameServer.start(({ type }) => ({
    records: type === "A" ? addressRecords(["127.0.0.2"]) : [],
  }));
  await using origin = await Origin.listen(async (connection) => {
    while (true) {
      await connection.message();
      await connection.send(response("ok"));
    }
  }, { host: "127.0.0.2" });
  await using first = await ProxyProcess.start(row);
  await using last = await ProxyProcess.start(row);
  const [near, far] = [first, last].map(({ port }) => `127.0.0.1:${port}`);
  const ways = [`socks5://${far}`, `socks4://${far}`, `http://${near},socks5://${far}`, "direct"];
  await using proxy = await ProxyProcess.start(row, [
    ...["--dns", names.authority, "--user", "ann:secret", "--user", "bob:secret"],
    ...["--rule", "deny 127.0.0.2 user=bob"],
    ...ways.flatMap((way, i) => ["--route", `way${i}.test via ${way}`]),
  ]);
  for (const [i, way] of ways.entries()) {
    const uri = `http://way${i}.test:${origin.port}/`;
    const verdicts = [];
    for (const user of ["ann", "bob", "ann"]) verdicts.push(await status(proxy, uri, user));
    assertEquals(verdicts, [200, 403, 200], way);
  }
});

testRows("reuse: rules that change hold for connections that are kept", async (row) => {
  await using names = await NameServer.start(({ type }) => ({
    records: type === "A" ? addressRecords(["127.0.0.1"]) : [],
  }));
  await using origin = await httpOrigin();
  await using next = await ProxyProcess.start(row);
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  const file = join(folder, "rules");
  try {
    await writeFile(file, "allow *\n");
    await using proxy = await ProxyProcess.start(row, [
      ...["--dns", names.authority, "--proxy", `socks5://127.0.0.1:${next.port}`, "--rules-file", file],
    ]);
    using client = await proxy.connect();
    const asked = request("GET", `http://a.test:${origin.port}/`);
    await client.send(asked);
    assertEquals((await client.message()).status, 200);
    await writeFile(file, "deny 127.0.0.1\n");
    proxy.kill("SIGHUP");
    await proxy.said(/Read the files/);
    await client.send(asked);
    assertEquals((await client.message()).status, 403);
  } finally {
    await rm(folder, { recursive: true });
  }
}, { needs: "files", permissions: ["-R"] });

testRows(
  "reuse: the guard judges each address that goes to an upstream by a kept connection",
  async (row) => {
    await using names = await NameServer.start(({ type }) => ({
      records: type === "A" ? addressRecords(["127.0.0.1"]) : [],
    }));
    await using origin = await httpOrigin();
    await using next = await ProxyProcess.start(row, ["--dns", names.authority]);
    await using proxy = await ProxyProcess.start(row, [
      ...["--deny-private", "--proxy", `http://127.0.0.1:${next.port}`],
    ]);
    using client = await proxy.connect();
    for (
      const [host, expected] of [["public.test", 200], ["127.0.0.1", 403], ["public.test", 200]] as const
    ) {
      await client.send(request("GET", `http://${host}:${origin.port}/`));
      assertEquals((await client.message()).status, expected, host);
    }
  },
);
