/**
 * The config file, as an operator sees it: started with it, checked, shown, and taken anew.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "./exchanges.ts";
import { run } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { httpOrigin } from "../support/origin.ts";
import { ProgramRun } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";
import type { Row } from "../support/toolchain.ts";

const READ = { needs: "files", permissions: ["-R", "-W"] } as const;

/** Runs a command to its end. */
async function sluice({ command }: Row, ...args: string[]) {
  const { exit, output, errors } = await run([...command, ...args], { environment: { NO_COLOR: "1" } });
  return { exit, output: String(output), errors };
}

/** The status of a GET through the proxy at a port of 127.0.0.1. */
async function statusAt(port: number, uri: string, ...fields: string[]): Promise<number> {
  using client = await connect({ host: "127.0.0.1", port });
  await client.send(request("GET", uri, "Connection: close", ...fields));
  return (await client.message()).status;
}

/** The ports of all listeners that the program has told so far, the first `count` of them. */
async function portsOf(program: ProgramRun, count: number): Promise<number[]> {
  return (await program.said(/listening on (?:\S+:)?(\d+)$/, count)).map(([, port]) => Number(port));
}

testRows("-c FILE: the proxy starts with the options of the file, and flags go before them", async (row) => {
  using place = folder();
  await using origin = await httpOrigin();
  const file = join(place.path, "sluice.toml");
  await writeFile(
    file,
    `listen = ["127.0.0.1:0", "127.0.0.1:0"]
rules-file = "rules"
log-format = "json"
access-log = "access.log"
[users]
ann = "secret"
`,
  );
  await chmod(file, 0o600);
  await writeFile(join(place.path, "rules"), "deny blocked.test\n");
  await using program = new ProgramRun(row, ["-c", file, "--access-log", "-"]);
  const ports = await portsOf(program, 2);
  const login = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
  for (const port of ports) {
    assertEquals(await statusAt(port, `http://${origin.authority}/`, login), 200);
    assertEquals(await statusAt(port, `http://${origin.authority}/`), 407);
    assertEquals(await statusAt(port, "http://blocked.test/", login), 403);
  }
  assertEquals(JSON.parse(await program.output.find((line) => line.includes("blocked.test"))).user, "ann");
  program.kill("SIGTERM");
  assertEquals(await program.exit(), 0);
}, READ);

const FAULTY = `listen = "127.0.0.1:0"
idle-timeut = "5m"
rules = [
  "deny *:25",
  "dney *",
]
[timeouts]
header = "soon"
`;

testRows(
  "config check: all faults are told with their places, and a proxy does not start with them",
  async (row) => {
    using place = folder();
    const file = join(place.path, "sluice.toml");
    await writeFile(file, FAULTY);
    const faults = [
      `${file}:2:1: Unknown key "idle-timeut": did you mean "idle-timeout"?`,
      `${file}:5:3: A rule begins with "allow", "deny" or "route", not with "dney": did you mean "deny"?`,
      `${file}:8:10: Invalid duration "soon": give a number and a unit, such as "500ms", "10s" or "5m"`,
    ];
    const [checked, started] = await Promise.all([
      sluice(row, "config", "check", file),
      sluice(row, "-c", file),
    ]);
    assertEquals([checked.exit, checked.output.trimEnd().split("\n")], [1, faults]);
    assertEquals([started.exit, started.errors.trimEnd().split("\n")], [
      2,
      faults.map((fault) => `sluice: ${fault}`),
    ]);
    await writeFile(file, 'listen = "0.0.0.0:0"\nusers-file = "users"\nrules-file = "rules"\n');
    const missing = await sluice(row, "config", "check", file);
    assertEquals([missing.exit, missing.output.trimEnd().split("\n").length], [1, 2]);
    await writeFile(file, 'listen = "127.0.0.1:0"\n');
    assertEquals(await sluice(row, "config", "check", file), {
      exit: 0,
      output: `${file} is right\n`,
      errors: "",
    });
  },
  READ,
);

testRows("config: a file with passwords has to be closed to others", async (row) => {
  using place = folder();
  const file = join(place.path, "sluice.json");
  await writeFile(file, '{ "users": { "ann": "secret" } }');
  await chmod(file, 0o640);
  const open = await sluice(row, "-c", file);
  assertEquals(open.exit, 2);
  assertMatch(
    open.errors,
    /^sluice: Others can read the config file, which has passwords, ".*": run "chmod 600/,
  );
  await chmod(file, 0o600);
  const { exit, output } = await sluice(row, "config", "show", "-c", file, "-q");
  assertEquals(exit, 0);
  assertMatch(output, /^user +ann:\*\*\* +.*sluice.json:1:21$/m);
  assertMatch(output, /^log-level +error +--quiet$/m);
  assertMatch(output, /^idle-timeout +5m +default$/m);
  assertEquals(output.includes("secret"), false);
}, READ);

testRows("config schema: it is JSON, and has the options", async (row) => {
  const { exit, output } = await sluice(row, "config", "schema");
  assertEquals(exit, 0);
  assert("idle-timeout" in JSON.parse(output).properties);
});

testRows("config: a file that cannot be read is told by its name", async (row) => {
  const { exit, errors } = await sluice(row, "-c", "/nowhere/sluice.toml");
  assertEquals(exit, 2);
  assertMatch(
    errors,
    /^sluice: Cannot read the config file "\/nowhere\/sluice.toml": .*(?:ENOENT|--allow-read)/,
  );
});

testRows("explain: it takes the rules of a config file", async (row) => {
  using place = folder();
  const file = join(place.path, "sluice.toml");
  await writeFile(file, 'listen = "127.0.0.1:0"\nrules = ["deny *.test"]\n');
  const { exit, output } = await sluice(row, "explain", "-c", file, "a.test:443");
  assertEquals([exit, output], [3, `deny    a.test:443: deny *.test (${file}:2:10)\n`]);
}, READ);
