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
  "deny",
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
      `${file}:5:3: Invalid rule "deny": what it is about is missing; write "*" for everything`,
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

/** A place with a config file that the test writes, and the program that runs with it. */
async function running(row: Row, place: string, text: string, ...args: string[]) {
  const file = join(place, "sluice.toml");
  const write = async (text: string): Promise<void> => {
    await writeFile(file, text, { mode: 0o600 });
  };
  await write(text);
  return { file, write, program: new ProgramRun(row, ["-c", file, ...args]) };
}

/** Whether somebody accepts connections at a port. */
async function accepts(port: number): Promise<boolean> {
  try {
    using _client = await connect({ host: "127.0.0.1", port });
    return true;
  } catch {
    return false;
  }
}

testRows("SIGHUP: listeners come and go, and a file that cannot be used changes nothing", async (row) => {
  using place = folder();
  await using origin = await httpOrigin();
  const uri = `http://${origin.authority}/`;
  const { file, write, program } = await running(row, place.path, 'listen = ["127.0.0.1:0", "[::1]:0"]\n');
  await using _end = program;
  const [kept] = await portsOf(program, 2);
  using standing = await connect({ host: "127.0.0.1", port: kept });
  await standing.send(request("GET", uri));
  assertEquals((await standing.message()).status, 200);
  await write('listen = ["127.0.0.1:0", "127.0.0.2:0"]\nrules = ["deny blocked.test"]\n');
  program.kill("SIGHUP");
  const [, , [, fresh]] = await program.said(/listening on \S+:(\d+)$/, 3);
  await program.said(/Listens on \[::1\]:\d+ no more/);
  await program.said(/Read the files .* anew/);
  await standing.send(request("GET", "http://blocked.test/"));
  assertEquals((await standing.message()).status, 403);
  assertEquals(await statusAt(kept, uri), 200);
  using other = await connect({ host: "127.0.0.2", port: Number(fresh) });
  await other.send(request("GET", uri));
  assertEquals((await other.message()).status, 200);

  await write('listen = "127.0.0.1:0"\nidle-timeut = 5\nrules = ["deny"]\n');
  program.kill("SIGHUP");
  await program.said(/Everything stays as it was/);
  await write(`listen = ["127.0.0.1:0", "127.0.0.1:${origin.port}"]\nrules = ["deny *"]\n`);
  program.kill("SIGHUP");
  await program.said(/Everything stays as it was.*(?:in use|EADDRINUSE)/i);
  await write('listen = "127.0.0.1:0"\nname = "another"\naccess-log = "off"\nrules = ["deny *"]\n');
  program.kill("SIGHUP");
  await program.said(/"name" cannot be changed while the proxy runs: it takes a restart/);
  await program.said(/"access-log" cannot be changed/);
  assert(program.diagnostics.all.some((line) => line.includes(`${file}:2:1: Unknown key "idle-timeut"`)));
  assertEquals(await statusAt(kept, uri), 200);
  assertEquals(await accepts(kept), true);
  program.kill("SIGTERM");
  assertEquals(await program.exit(), 0);
}, READ);

testRows("SIGHUP: what was removed from the file has its default again", async (row) => {
  using place = folder();
  const { write, program } = await running(
    row,
    place.path,
    'listen = "127.0.0.1:0"\nmax-header-size = "1k"\ncontact = "it@example.com"\nrules = ["deny blocked.test"]\n[users]\nann = "secret"\n',
  );
  await using _end = program;
  const [port] = await portsOf(program, 1);
  assertEquals(await statusAt(port, "http://blocked.test/"), 407);
  assertEquals(await statusAt(port, "http://blocked.test/", `X: ${"x".repeat(2_000)}`), 431);
  await write('listen = "127.0.0.1:0"\nrules = ["deny blocked.test"]\n');
  program.kill("SIGHUP");
  await program.said(/Read the files .* anew/);
  assertEquals(await statusAt(port, "http://blocked.test/", `X: ${"x".repeat(2_000)}`), 403);
}, READ);

const TOKEN = "t".repeat(43);

/** Asks for a reload, and returns the status and the text of the answer. */
async function askReload(port: number, ...fields: string[]): Promise<[status: number, text: string]> {
  using client = await connect({ host: "127.0.0.1", port });
  const login = `Authorization: Bearer ${TOKEN}`;
  const given = fields.length > 0 ? fields : [login];
  await client.send(
    `POST /reload HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n${
      given.map((field) => `${field}\r\n`).join("")
    }\r\n`,
  );
  const { status, text } = await client.message();
  return [status, text];
}

for (const workers of [1, 2]) {
  const who = workers === 1 ? "the proxy" : "every worker";
  testRows(`POST /reload: ${who} reads everything anew, or tells all faults`, async (row) => {
    using place = folder();
    await using origin = await httpOrigin();
    const uri = `http://${origin.authority}/`;
    const head =
      `listen = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\nadmin-token = "${TOKEN}"\nworkers = ${workers}\n`;
    const { file, write, program } = await running(row, place.path, head);
    await using _end = program;
    const [port, admin] = await portsOf(program, 2);
    assertEquals(await statusAt(port, uri), 200);
    await write(`${head}rules = ["deny *"]\n`);
    assertEquals((await askReload(admin, `Authorization: Bearer ${"u".repeat(43)}`))[0], 401);
    assertEquals((await askReload(port))[0], 400);
    assertEquals(
      (await askReload(admin, `Authorization: Bearer ${TOKEN}`, "Origin: https://evil.example"))[0],
      403,
    );
    assertEquals(await statusAt(port, uri), 200);
    assertEquals(await askReload(admin), [200, "Everything was read anew.\n"]);
    for (let i = 0; i < 20; i++) assertEquals(await statusAt(port, uri), 403);
    await write(`${head}idle-timeut = 5\nrules = ["deny"]\n`);
    const [status, text] = await askReload(admin);
    assertEquals([status, text.split("\n")], [422, [
      "Everything stays as it was:",
      `${file}:5:1: Unknown key "idle-timeut": did you mean "idle-timeout"?`,
      `${file}:6:10: Invalid rule "deny": what it is about is missing; write "*" for everything`,
      "",
    ]]);
    await write(`${head}admin-token-file = "token"\n`);
    assertEquals((await askReload(admin))[0], 422);
    await write(head.replace('"127.0.0.1:0"', '["127.0.0.1:0", "127.0.0.1:0"]'));
    assertEquals(await askReload(admin), [200, "Everything was read anew.\n"]);
    const [, , fresh] = await portsOf(program, 3);
    for (let i = 0; i < 20; i++) assertEquals(await statusAt(i % 2 === 0 ? port : fresh, uri), 200);
    await write(head.replace(/^admin.*\n/gm, ""));
    program.kill("SIGHUP");
    await program.said(/Listens on \S+ no more/, 2);
    assertEquals([await accepts(admin), await accepts(fresh), await accepts(port)], [false, false, true]);
    program.kill("SIGTERM");
    assertEquals(await program.exit(), 0);
  }, { ...READ, ...workers > 1 && { needs: "workers" } });
}

testRows("POST /reload: without a token nobody may, and the answer says how to set one", async (row) => {
  await using program = new ProgramRun(row, ["-l", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
  const [, admin] = await portsOf(program, 2);
  const [status, text] = await askReload(admin);
  assertEquals(status, 403);
  assertMatch(text, /SLUICE_ADMIN_TOKEN/);
});

testRows(
  "reloads under load: no client of a listener that stays is refused, and no request fails",
  async (row) => {
    using place = folder();
    await using origin = await httpOrigin();
    const uri = `http://${origin.authority}/`;
    const texts = ['["127.0.0.1:0", "[::1]:0"]', '"127.0.0.1:0"'].map((listen, i) =>
      `listen = ${listen}\nrules = ["deny blocked${i}.test"]\nidle-timeout = ${60 + i}\naccess-log = "off"\n`
    );
    const { write, program } = await running(row, place.path, texts[0]);
    await using _end = program;
    const [port] = await portsOf(program, 2);
    let over = false;
    const client = async (): Promise<number> => {
      let count = 0;
      for (; !over; count++) assertEquals(await statusAt(port, uri), 200);
      return count;
    };
    const clients = [client(), client(), client()];
    const done = Promise.all(clients);
    done.catch(() => {});
    for (let i = 1; i <= 10; i++) {
      await write(texts[i % 2]);
      program.kill("SIGHUP");
      await program.said(/Read the files .* anew/, i);
    }
    over = true;
    assert((await done).every((count) => count > 0));
  },
  READ,
);
