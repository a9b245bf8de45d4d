/**
 * A local and a remote half with the `line` protocol between them: two sluices, and each of them with the other half
 * of the program that the protocol comes from (see `tests/support/seeds.ts`).
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { assertClientMayEndFirst, assertOriginMayEndFirst } from "./half_close.ts";
import { Certificate, isInstalled, run, WebServer } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { echoOrigin, httpOrigin } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";
import { SeedProgram, SEEDS_EXIST } from "../support/seeds.ts";
import type { Row } from "../support/toolchain.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "sluice-"));
const BODY = randomBytes(100_000);
const BODY_FILE = join(FOLDER, "body");

let web: WebServer;
let certificate: Certificate;
/** One for all tests. */
let seedRemote: Promise<SeedProgram> | undefined;

Deno.test.beforeAll(async () => {
  certificate = new Certificate(FOLDER);
  writeFileSync(BODY_FILE, BODY);
  web = await WebServer.start(certificate, { pages: new Map(), root: FOLDER });
});

Deno.test.afterAll(async () => {
  await web[Symbol.asyncDispose]();
  await (await seedRemote)?.[Symbol.asyncDispose]();
  rmSync(FOLDER, { recursive: true });
});

/** A remote half, and the port on which it speaks `line`. */
async function startRemote(row: Row, ...flags: string[]): Promise<{ remote: ProxyProcess; port: number }> {
  const remote = await ProxyProcess.start(row, ["--listen", "line://127.0.0.1:0", ...flags]);
  return { remote, port: (remote.addresses[1] as TcpAddress).port };
}

function startLocal(row: Row, port: number): Promise<ProxyProcess> {
  return ProxyProcess.start(row, ["--proxy", `line://127.0.0.1:${port}`]);
}

/** HTTPS both ways by a local half: what curl says, if anything, of each way to it. */
async function https(port: number): Promise<Record<string, string>> {
  const ways: [way: string, host: string, args: string[]][] = [
    ["CONNECT to an address", "127.0.0.1", ["--proxy", `http://127.0.0.1:${port}`]],
    ["CONNECT to a name", "localhost", ["--proxy", `http://127.0.0.1:${port}`]],
    // The other program reads one method of the greeting, so curl is to name no more.
    ["SOCKS5 to an address", "127.0.0.1", ["--socks5-basic", "--proxy", `socks5://127.0.0.1:${port}`]],
    ["SOCKS5 to a name", "localhost", ["--socks5-basic", "--proxy", `socks5h://127.0.0.1:${port}`]],
  ];
  const outcomes = ways.map(async ([way, host, args]) => {
    const { output, errors } = await run([
      ...["curl", "--silent", "--show-error", "--fail", "--max-time", "20", "--cacert", certificate.file],
      ...["--data-binary", `@${BODY_FILE}`, ...args, `https://${host}:${web.tlsPort}/`],
    ]);
    return [way, output.toString() + errors] as const;
  });
  return Object.fromEntries(await Promise.all(outcomes));
}

const SHA = createHash("sha256").update(BODY).digest("hex");
const ALL_WELL = Object.fromEntries(
  ["CONNECT to an address", "CONNECT to a name", "SOCKS5 to an address", "SOCKS5 to a name"].map((
    way,
  ) => [way, `POST ${BODY.length} ${SHA}`]),
);

testRows("the pair: HTTPS by CONNECT and SOCKS5 through two halves of ours", async (row) => {
  const { remote, port } = await startRemote(row);
  await using _remote = remote;
  await using local = await startLocal(row, port);
  assertEquals(await https(local.port), ALL_WELL);
  assertEquals((await local.record(`localhost:${web.tlsPort}`)).route, `line://127.0.0.1:${port}`);
  const { protocol, route: onward } = await remote.record(`localhost:${web.tlsPort}`);
  assertEquals([protocol, onward], ["line", "direct"]);
}, { programs: ["curl", "openssl"] });

if (SEEDS_EXIST) {
  const programs = ["curl", "openssl", "python3"];

  Deno.test({
    name: "the pair: the other program's halves do the same with each other",
    ignore: !process.env.CI && !programs.every(isInstalled),
    fn: async () => {
      const { port } = await (seedRemote ??= SeedProgram.remote());
      await using local = await SeedProgram.local(port);
      assertEquals(await https(local.port), ALL_WELL);
    },
    // The remote half lives on.
    sanitizeOps: false,
    sanitizeResources: false,
  });

  testRows("the pair: our local half with the other program's remote one", async (row) => {
    const { port } = await (seedRemote ??= SeedProgram.remote());
    await using local = await startLocal(row, port);
    assertEquals(await https(local.port), ALL_WELL);
  }, { programs });

  testRows("the pair: the other program's local half with our remote one", async (row) => {
    const { remote, port } = await startRemote(row);
    await using _remote = remote;
    await using local = await SeedProgram.local(port);
    assertEquals(await https(local.port), ALL_WELL);
  }, { programs });
} else {
  Deno.test({ name: "the pair with another program (cannot: it is not here)", ignore: true, fn() {} });
}

testRows("the pair: an IPv6 address arrives in brackets, and plain HTTP in origin-form", async (row) => {
  const { remote, port } = await startRemote(row);
  await using _remote = remote;
  await using local = await startLocal(row, port);
  await using six = await echoOrigin({ host: "::1" });
  using client = await local.connect();
  await client.send(SOCKS5_GREETING);
  await client.send(socks5Request("::1", six.port));
  await client.read(2);
  assertEquals(await socks5Reply(client), 0);
  await client.send("hello");
  client.end();
  assertEquals((await client.readToEnd()).toString(), "hello");
  assertEquals((await remote.record(`[::1]:${six.port}`)).ending, "completed");

  await using origin = await httpOrigin();
  using other = await local.connect();
  await other.send(request("GET", `http://${origin.authority}/page`));
  assertEquals((await other.message()).text, "ok");
  assertEquals((await local.record(`${origin.authority}/page`)).route, `line://127.0.0.1:${port}`);
});

testRows("half-close through the pair, both ways, on every protocol", async (row) => {
  const { remote, port } = await startRemote(row);
  await using _remote = remote;
  await using local = await startLocal(row, port);
  await assertClientMayEndFirst(local);
  await assertOriginMayEndFirst(local);
});

testRows("the pair: `line` has no users, and wants --allow-open where others can reach it", async (row) => {
  await using refused = new ProgramRun(row, ["--listen", "line://0.0.0.0:0"]);
  assertEquals(await refused.exit(), 2);
  assertMatch(refused.diagnostics.all.join("\n"), /Refusing to listen on 0\.0\.0\.0:0.*--allow-open/);
  await using open = await ProxyProcess.start(row, ["--listen", "line://0.0.0.0:0", "--allow-open"]);
  assertEquals((open.addresses[1] as TcpAddress).host, "0.0.0.0");

  await using origin = await httpOrigin();
  const { remote, port } = await startRemote(row, "--user", "ann:secret");
  await using _remote = remote;
  using client = await connect({ host: "127.0.0.1", port });
  await client.send(`${origin.authority}\r\n`);
  assertEquals((await client.readToEnd()).length, 0);
  const { fault, ending } = JSON.parse(await remote.output.find(() => true));
  assertEquals([fault, ending], ["proxy_authentication_required", "refused"]);
  assertEquals(await origin.isUntouched(), true);
});

testRows(
  "the pair: a target that cannot be reached is 502 to HTTP, and the close of a tunnel",
  async (row) => {
    const { remote, port } = await startRemote(row, "--deny", "denied.test");
    await using _remote = remote;
    await using local = await startLocal(row, port);
    using http = await local.connect();
    await http.send(request("GET", "http://denied.test/"));
    assertEquals((await http.message()).status, 502);
    using client = await tunnel(local, "denied.test:443");
    assertEquals((await client.readToEnd()).length, 0);
    assertEquals((await remote.record("denied.test:443")).fault, "http_request_denied");
  },
);
