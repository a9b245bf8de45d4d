/**
 * Unix sockets: listeners and their files, and upstreams on them.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { digest, request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { Arrivals } from "../support/condition.ts";
import { httpOrigin, Origin, response } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";
import type { Row } from "../support/toolchain.ts";

/** A test with a folder of its own on each row. */
function unixTest(name: string, body: (row: Row, folder: string) => Promise<void>): void {
  testRows(name, async (row) => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    try {
      await body(row, folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, { needs: "unix sockets", permissions: ["-R", "-W"] });
}

/** The type and permissions of a file. */
function modeOf(path: string): string {
  const stat = lstatSync(path);
  return `${stat.isSocket() ? "socket" : "other"} ${(stat.mode & 0o777).toString(8)}`;
}

/** Whether a GET by the proxy at a path is answered. */
async function serves(path: string): Promise<boolean> {
  await using origin = await httpOrigin();
  using client = await connect({ path });
  await client.send(request("GET", `http://${origin.authority}/`));
  return (await client.message()).text === "ok";
}

/** What a proxy that cannot start says, and its exit code. */
async function failure(row: Row, ...args: string[]): Promise<string> {
  await using run = new ProgramRun(row, args);
  const exit = await run.exit();
  return `${exit}: ${run.diagnostics.all.join("\n")}`;
}

unixTest(
  "the file of a listener is its owner's alone, and is gone when the proxy is",
  async (row, folder) => {
    const path = join(folder, "proxy.sock");
    const open = ["--allow-open", "--allow-private"];
    for (
      const [text, mode, flags] of [[`unix:${path}`, "600", []], [`unix:${path}?mode=0666`, "666", open]]
    ) {
      await using proxy = await ProxyProcess.start(row, ["--listen", String(text), ...flags]);
      assertEquals(proxy.addresses[1], { path });
      assertEquals(modeOf(path), `socket ${mode}`);
      assert(await serves(path));
      const { client } = JSON.parse(await proxy.output.find(() => true));
      assertEquals(client, "unix:");
      assertEquals(await proxy.stop(), 0);
      assertEquals(existsSync(path), false);
    }
  },
);

unixTest("a socket has its mode from the start, whatever the umask", async (row, folder) => {
  const path = join(folder, "proxy.sock");
  const events = new Arrivals<string>("an event in the folder");
  using watcher = Deno.watchFs(folder);
  const watching = (async () => {
    for await (const { kind, paths } of watcher) {
      for (const path of paths) events.push(`${kind} ${basename(path)}`);
    }
  })();
  const command = ["sh", "-c", 'umask 0; exec "$@"', "sh", ...row.command];
  await using proxy = await ProxyProcess.start({ ...row, command }, ["--listen", `unix:${path}`]);
  assertEquals(modeOf(path), "socket 600");
  assertEquals(readdirSync(folder), ["proxy.sock"]);
  writeFileSync(join(folder, "last"), "");
  await events.find((event) => event === "create last");
  // To change its mode would be a modification.
  assertEquals(events.all.filter((event) => /^(?:create|modify) proxy\.sock/.test(event)), [
    "create proxy.sock",
  ]);
  assertEquals(await proxy.stop(), 0);
  assertEquals(readdirSync(folder), ["last"]);
  watcher.close();
  await watching;
});

unixTest(
  "a file that a dead proxy left is replaced, one of a live proxy is not",
  async (row, folder) => {
    const path = join(folder, "proxy.sock");
    {
      await using killed = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
      killed.kill("SIGKILL");
      assertEquals(await killed.exit(), "SIGKILL");
    }
    assertEquals(modeOf(path), "socket 600");
    await using proxy = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
    assert(await serves(path));
    assertMatch(await failure(row, "--listen", `unix:${path}`), /^1: .*address in use/);
    assert(await serves(path));
    assert(proxy.alive);
  },
);

unixTest("a path that is taken by another file, or is too long, is refused", async (row, folder) => {
  const plain = join(folder, "plain");
  writeFileSync(plain, "kept");
  assertMatch(
    await failure(row, "--listen", `unix:${plain}`),
    /^2: .*Cannot listen on "unix:.*the path is taken by a file that is no socket/,
  );
  assertEquals(readFileSync(plain, "utf8"), "kept");

  const longest = join(folder, "x".repeat(107 - folder.length - 1));
  await using proxy = await ProxyProcess.start(row, ["--listen", `unix:${longest}`]);
  assertEquals(longest.length, 107);
  assert(await serves(longest));
  assertEquals(await proxy.stop(), 0);
  assertMatch(
    await failure(row, "--listen", `unix:${longest}x`),
    /^2: .*the path has 108 bytes and Unix sockets allow 107/,
  );

  assertMatch(await failure(row, "--listen", `unix:${join(folder, "none", "proxy.sock")}`), /^1: /);
});

unixTest("a client that goes away ends its tunnel, and nothing else", async (row, folder) => {
  const path = join(folder, "proxy.sock");
  await using proxy = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
  await using origin = await Origin.listen();
  const client = await connect({ path });
  await client.send(Uint8Array.of(...SOCKS5_GREETING, ...socks5Request("127.0.0.1", origin.port)));
  await client.read(2);
  assertEquals(await socks5Reply(client), 0);
  using target = await origin.accept();
  // It leaves with bytes unread, which resets a connection also here.
  await target.send("unread");
  client[Symbol.dispose]();
  await target.ending();
  await proxy.record(origin.authority);
  assert(await serves(path));
});

unixTest("half-close through a Unix socket, both ways", async (row, folder) => {
  const path = join(folder, "proxy.sock");
  await using _proxy = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
  await using origin = await Origin.listen();
  const [down, up] = [randomBytes(3 * 1024 * 1024), randomBytes(2 * 1024 * 1024)];
  for (const first of ["client", "origin"]) {
    using client = await connect({ path });
    await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`);
    await client.readUntil("\r\n\r\n");
    using target = await origin.accept();
    const [early, late, bytes] = first === "client" ? [client, target, down] : [target, client, up];
    early.end();
    assertEquals((await late.readToEnd()).length, 0);
    const [received] = await Promise.all([early.readToEnd(), late.send(bytes).then(() => late.end())]);
    assertEquals(digest(received), digest(bytes), first);
  }
});

unixTest("-x unix:PATH leads to a web server on a socket, whatever the URL names", async (row, folder) => {
  const path = join(folder, "web.sock");
  await using _web = await Origin.listen(async (connection) => {
    while (true) {
      const { method, target, fields, body } = await connection.message();
      await connection.send(response(JSON.stringify({ method, target, fields, body: body.toString() })));
    }
  }, { path });
  await using proxy = await ProxyProcess.start(row, ["--proxy", `unix:${path}`]);
  using client = await proxy.connect();
  await client.send(request("GET", "http://docker/v1.43/containers/json?all=1"));
  const listed = JSON.parse((await client.message()).text);
  assertEquals([listed.method, listed.target], ["GET", "/v1.43/containers/json?all=1"]);
  assertEquals(Object.fromEntries(listed.fields).Host, "docker");
  await client.send(`${request("POST", "http://docker/v1.43/build", "Content-Length: 4")}body`);
  const built = JSON.parse((await client.message()).text);
  assertEquals([built.method, built.target, built.body], ["POST", "/v1.43/build", "body"]);
  // The second request went over the connection of the first.
  const { route, dialed } = await proxy.record("/v1.43/containers/json?");
  assertEquals([route, dialed], [`unix:${path}`, `unix:${path}`]);
});

unixTest("-x SCHEME://unix:PATH goes through a proxy on a socket, which may be gone", async (row, folder) => {
  const path = join(folder, "next.sock");
  await using origin = await httpOrigin();
  const next = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
  try {
    for (const scheme of ["http", "socks4", "socks5h"]) {
      await using proxy = await ProxyProcess.start(row, ["--proxy", `${scheme}://unix:${path}`]);
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/${scheme}`));
      assertEquals((await client.message()).text, "ok");
      assertEquals((await proxy.record(`/${scheme}`)).route, `${scheme}://unix:${path}`);
    }
    await using proxy = await ProxyProcess.start(row, ["--proxy", `http://unix:${path}`, "--name", "here"]);
    assertEquals(await next.stop(), 0);
    using client = await proxy.connect();
    await client.send(request("GET", `http://${origin.authority}/gone`));
    const answer = await client.message();
    assertEquals(answer.status, 502);
    assertMatch(String((await proxy.record("/gone")).reason), /^http:\/\/unix:.*next\.sock: /);
  } finally {
    await next[Symbol.asyncDispose]();
  }
});
