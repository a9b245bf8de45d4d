/**
 * `sluice check`: a request through proxies that run, its steps, and where it fails.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { testRows } from "./suite.ts";
import { certificates } from "../contract/certificates.ts";
import { NameServer, zone } from "../support/name_server.ts";
import { ClosedPort, httpOrigin, Origin, response } from "../support/origin.ts";
import { type Exit, ProgramRun, ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

interface Checked {
  readonly exit: Exit;
  readonly lines: readonly string[];
  readonly errors: readonly string[];
  /** The first words of the lines up to the empty one. */
  readonly steps: string;
  /** Both outputs. */
  readonly all: string;
}

async function check(row: Row, ...args: string[]): Promise<Checked> {
  await using run = new ProgramRun(row, ["check", ...args]);
  const exit = await run.exit();
  return told(exit, run);
}

function told(exit: Exit, { output, diagnostics }: ProgramRun): Checked {
  // What is not read is told on standard error; `program_test.ts` looks at that.
  const [lines, errors] = [output.all, diagnostics.all.filter((line) => !/ info +SLUICE_/.test(line))];
  const end = lines.indexOf("");
  const steps = lines.slice(0, end < 0 ? undefined : end).map((line) => line.split(" ")[0]).join(" ");
  return { exit, lines, errors, steps, all: [...lines, ...errors].join("\n") };
}

testRows("check: a request goes directly, and through one proxy in each protocol", async (row) => {
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row);
  const url = `http://${origin.authority}/path`;
  const at = `127.0.0.1:${proxy.port}`;
  const ways: [flags: string[], steps: string][] = [
    [[], "connect request response body total"],
    [["-x", at], "connect request response body total"],
    [["-x", `socks4://${at}`], "connect socks4 request response body total"],
    [["--proxy", `socks5h://${at}`], "connect socks5h request response body total"],
  ];
  for (const [flags, steps] of ways) {
    const { exit, lines, errors, ...done } = await check(row, ...flags, url);
    assertEquals([exit, done.steps, errors], [0, steps, []], lines.join("\n"));
    assertMatch(lines.at(-2)!, /^body +2 bytes +Content-Length +[0-9]+\.[0-9] ms$/);
    assert(lines.slice(0, -1).every((line) => / [0-9]+\.[0-9] ms$/.test(line)));
  }
});

testRows("check: a chain of two proxies, the second with a password that is never shown", async (row) => {
  await using origin = await httpOrigin();
  await using first = await ProxyProcess.start(row);
  await using second = await ProxyProcess.start(row, ["--user", "ann:s3cr3t"]);
  const chain = (password: string) =>
    `http://127.0.0.1:${first.port},socks5://ann:${password}@127.0.0.1:${second.port}`;
  const url = `http://${origin.authority}/`;
  const good = await check(row, "-x", chain("s3cr3t"), url);
  assertEquals([good.exit, good.steps], [0, "connect http socks5 request response body total"], good.all);
  assertEquals(good.all.includes("s3cr3t"), false);
  const bad = await check(row, "-x", chain("wr0ng"), url);
  assertEquals([bad.exit, bad.steps], [1, "connect http socks5 failed"], bad.all);
  assertStringIncludes(bad.all, "proxy_configuration_error");
  assertStringIncludes(bad.all, "Check the user name and the password");
  assertStringIncludes(bad.all, "Not reached: request, response, body");
  assertEquals(bad.all.includes("wr0ng"), false);
});

testRows("check: what an HTTP proxy answers itself is no answer of the target", async (row) => {
  await using closed = await ClosedPort.take();
  await using proxy = await ProxyProcess.start(row, ["--user", "ann:s3cr3t"]);
  const at = `127.0.0.1:${proxy.port}`;
  const refused = await check(row, "-x", `ann:s3cr3t@${at}`, `http://${closed.authority}/`);
  assertEquals([refused.exit, refused.steps], [1, "connect request response body failed"], refused.all);
  assertStringIncludes(refused.all, `http://${at} has answered itself: 502 connection_refused`);
  const stranger = await check(row, "-x", at, `http://${closed.authority}/`);
  assertEquals(stranger.exit, 1);
  assertStringIncludes(stranger.all, `http://${at} has answered itself: 407`);
});

testRows("check: each failure ends in its step, with exit code 1", async (row) => {
  await using closed = await ClosedPort.take();
  await using proxy = await ProxyProcess.start(row);
  await using server = await NameServer.start(zone({ "origin.test": ["127.0.0.1"] }));
  await using cut = await Origin.listen(async (connection) => {
    await connection.message();
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nhello");
    connection.end();
  });
  await using silent = await Origin.listen();
  const socks = ["-x", `socks5h://127.0.0.1:${proxy.port}`];
  const dns = ["--dns", server.authority];
  const table: [args: string[], step: RegExp][] = [
    [[`http://${closed.authority}/`], /^connect +127\.0\.0\.1:\d+ +connection_refused /],
    [["-x", closed.authority, "http://127.0.0.1:1/"], /^connect +127\.0\.0\.1:\d+ +connection_refused /],
    [[...socks, `http://${closed.authority}/`], /^socks5h +127\.0\.0\.1:\d+ +connection_refused /],
    [[...dns, "http://nowhere.test/"], /^resolve +nowhere\.test +dns_error /],
    [[`http://${cut.authority}/`], /^body +5 of 2,000 bytes +http_response_incomplete /],
    [
      [...dns, "--timeout", "1500ms", `http://origin.test:${silent.port}/`],
      /^request +GET \/ +http_response_timeout /,
    ],
  ];
  for (const [args, step] of table) {
    const { exit, lines, all } = await check(row, ...args);
    assertEquals(exit, 1, all);
    const failed = lines.findIndex((line) => line.startsWith("failed"));
    assertMatch(lines[failed - 1], step);
    assertStringIncludes(lines[failed + 2], `(${/[a-z]+_[a-z_]+/.exec(lines[failed - 1])![0]})`);
  }
});

testRows("check: a server is told what was asked for, and an error of its own is an answer", async (row) => {
  const asked: string[] = [];
  await using origin = await httpOrigin((request) => {
    asked.push(`${request.startLine} ${request.field("x-test")}`);
    return "HTTP/1.1 503 Busy\xE4\r\nContent-Length: 0\r\n\r\n";
  });
  const { exit, all } = await check(
    row,
    "--method",
    "HEAD",
    "--header",
    "X-Test: yes",
    `http://${origin.authority}/x?y`,
  );
  assertEquals([exit, asked], [0, ["HEAD /x?y HTTP/1.1 yes"]], all);
  assertMatch(all, /^response +HTTP\/1\.1 503 Busy\\xE4 /m);
});

testRows("check: the body goes to standard output whole, and the steps to standard error", async (row) => {
  const body = "line\n".repeat(100_000);
  await using origin = await httpOrigin(() => response(body));
  const { exit, lines, errors } = await check(row, "--output", "-", `http://${origin.authority}/`);
  assertEquals([exit, lines.length, new Set(lines).size], [0, 100_000, 1]);
  assertMatch(errors.join("\n"), /^body +500,000 bytes /m);
});

testRows("check: an interrupt ends it at once", async (row) => {
  await using silent = await Origin.listen();
  await using run = new ProgramRun(row, ["check", "--timeout", "1m", `http://${silent.authority}/`]);
  using connection = await silent.accept();
  await connection.message();
  run.kill("SIGINT");
  const { exit, steps, all } = told(await run.exit(), run);
  assertEquals([exit, steps], [130, "connect request failed"], all);
  assertStringIncludes(all, "Stopped by SIGINT");
});

testRows("check: what cannot be used is told with exit code 2", async (row) => {
  const table: readonly string[][] = [
    [],
    ["example.com"],
    ["ftp://example.com/"],
    ["http://ann:s3cr3t@example.com/"],
    ["--method", "CONNECT", "http://example.com/"],
    ["--header", "s3cr3t", "http://example.com/"],
    ["-x", "gopher://ann:s3cr3t@a.test:1", "http://example.com/"],
  ];
  // One after the other: all rows at once are many programs already.
  for (const args of table) {
    const { exit, lines, errors, all } = await check(row, ...args);
    assertEquals([exit, lines.length, errors.length], [2, 0, 1], all);
    assertEquals(all.includes("s3cr3t"), false);
  }
});

testRows("check: https is a tunnel with TLS to the target, whose certificate is judged", async (row) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  const { ca, otherCa, one } = certificates();
  const server = createServer({ cert: one.cert, key: one.key }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(response("in secret")));
  });
  try {
    server.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const [caFile, otherFile, bodyFile] = ["ca.pem", "other.pem", "body"].map((name) => join(folder, name));
    await writeFile(caFile, ca);
    await writeFile(otherFile, otherCa);
    await using proxy = await ProxyProcess.start(row);
    const via = ["-x", `127.0.0.1:${proxy.port}`];
    const good = await check(row, ...via, "--ca", caFile, "--output", bodyFile, url);
    assertEquals([good.exit, good.steps], [0, "connect http tls request response body total"], good.all);
    assertEquals(await readFile(bodyFile, "utf8"), "in secret");
    const bad = await check(row, ...via, "--ca", otherFile, url);
    assertEquals([bad.exit, bad.steps], [1, "connect http tls failed"], bad.all);
    assertMatch(bad.all, /tls +127\.0\.0\.1 +tls_certificate_error/);
    const nowhere = await check(row, "--ca", caFile, "--output", join(folder, "none", "body"), url);
    assertEquals([nowhere.exit, nowhere.steps], [1, "connect tls request response body failed"], nowhere.all);
    assertStringIncludes(nowhere.all, "Cannot write the body to");
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}, { needs: "files", permissions: ["-R", "-W"] });
