/**
 * The pair of `sluice remote` and `sluice local`: what goes through it, and what becomes of what does not.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";

import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "./exchanges.ts";
import { answers, keys, pairTest, refusal, SERVED } from "./pair_suite.ts";
import { pinOf } from "../contract/certificates.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { NameServer, zone } from "../support/name_server.ts";
import { ClosedPort, httpOrigin } from "../support/origin.ts";
import { Keys, Pair, startLocal, startRemote } from "../support/pair.ts";
import { ProgramRun } from "../support/proxy.ts";

pairTest("keygen makes three files that nobody else can read, and never writes over one", async (row) => {
  await using made = await Keys.make(row);
  const names = ["cert.pem", "key.pem", "token"] as const;
  assertEquals((await readdir(made.folder)).sort(), names.map((name) => `sluice-${name}`));
  const modes = await Promise.all(names.map(async (name) => (await stat(made.file(name))).mode & 0o777));
  assertEquals(modes, [0o644, 0o600, 0o600]);
  assertMatch(made.secret, /^[A-Za-z0-9_-]{43}$/);

  const printed = made.printed.join("\n");
  const key = await readFile(made.file("key.pem"), "utf8");
  assert(!printed.includes(made.secret) && !printed.includes(key.split("\n")[1]));
  const cert = await readFile(made.file("cert.pem"), "utf8");
  assertEquals(made.pin, pinOf({ cert, key }));
  const read = new X509Certificate(cert);
  assertEquals(read.subjectAltName, "IP Address:127.0.0.1");
  const text = execFileSync("openssl", ["x509", "-noout", "-text"], { input: cert }).toString();
  assertMatch(text, /Version: 3 /);
  assertMatch(text, /Issuer: CN ?= ?127\.0\.0\.1/);
  execFileSync("openssl", ["verify", "-CAfile", made.file("cert.pem"), made.file("cert.pem")]);

  const before = await Promise.all(names.map((name) => readFile(made.file(name), "utf8")));
  await using again = new ProgramRun(row, ["keygen", "127.0.0.1", "--out", made.folder]);
  assertEquals(await again.exit(), 2);
  assertMatch(again.diagnostics.all.join("\n"), /Cannot write ".+": it is there already/);
  assertEquals(await Promise.all(names.map((name) => readFile(made.file(name), "utf8"))), before);
}, { programs: ["openssl"] });

pairTest("the two commands that keygen prints work as they are printed", async (row) => {
  await using made = await Keys.make(row);
  const [remoteWords, localWords] = ["remote", "local"].map((half) => {
    const line = made.printed.find((line) => line.startsWith(`  sluice ${half} `)) ?? "";
    return line.trim().split(" ").slice(2);
  });
  // The words are true of the folder that the files are in.
  const [program, ...args] = row.command;
  const inFolder = ["sh", "-c", 'cd "$0" && exec "$@"', made.folder, program, ...args];
  await using remote = await startRemote({ ...row, command: inFolder }, [
    ...remoteWords.map((word) => word.replace(":8443", ":0")),
    "--allow-private",
  ]);
  assertEquals((remote.addresses[1] as TcpAddress).host, "0.0.0.0");
  const { port } = remote.addresses[1] as TcpAddress;
  await using local = await startLocal({ ...row, command: inFolder }, [
    ...localWords.map((word) => word.replace(":8443", `:${port}`)),
  ]);
  await using origin = await httpOrigin();
  using client = await local.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).text, "ok");
});

pairTest("every protocol gets through it, and names are resolved at its far end", async (row) => {
  await using near = await NameServer.start(() => undefined);
  await using far = await NameServer.start(zone({ "far.test": ["127.0.0.1"] }));
  await using pair = await Pair.start(row, keys, {
    remote: ["--allow-private", "--dns", far.authority],
    local: ["--dns", near.authority],
  });
  const { local, remote } = pair;
  await using origin = await httpOrigin();
  assertEquals(await answers(local, "far.test", origin.port), SERVED);
  assertEquals(await answers(local, "127.0.0.1", origin.port), SERVED);
  assertEquals(near.questions.all, []);
  assertEquals((await local.record(`far.test:${origin.port}`)).route, `https://127.0.0.1:${remote.port}`);
  assertEquals((await remote.record(`far.test:${origin.port}`)).route, "direct");
});

pairTest(
  "what the remote half refuses or cannot reach is told to clients as if they had asked it",
  async (row) => {
    await using names = await NameServer.start((question, nth) =>
      question.name === "broken.test" ? { rcode: "SERVFAIL" } : zone({})(question, nth)
    );
    await using closed = await ClosedPort.take();
    await using origin = await httpOrigin();
    {
      await using pair = await Pair.start(row, keys, {
        remote: ["--allow-private", "--deny", "denied.test", "--dns", names.authority],
      });
      const { local } = pair;
      assertEquals(await answers(local, "denied.test", 80), refusal("403 http_request_denied", 2));
      assertEquals(await answers(local, "127.0.0.1", closed.port), refusal("502 connection_refused", 5));
      assertEquals(await answers(local, "missing.test", 80), refusal("502 dns_error", 4));
      assertEquals(await answers(local, "broken.test", 80), refusal("502 dns_error", 4));
      assertEquals((await local.record("denied.test:80")).fault, "http_request_denied");
    }
    await using pair = await Pair.start(row, keys, { remote: ["--hosts-file", await hostsFile()] });
    for (const host of ["127.0.0.1", "inside.test"]) {
      assertEquals(await answers(pair.local, host, origin.port), refusal("403 destination_ip_prohibited", 2));
    }
    assertEquals(await origin.isUntouched(), true);
  },
);

/** A file for one row alone: the rows run side by side, and one must not read what another has only begun to write. */
async function hostsFile(): Promise<string> {
  const path = join(keys.folder, `hosts-${crypto.randomUUID()}`);
  await writeFile(path, "127.0.0.1 inside.test\n");
  return path;
}
