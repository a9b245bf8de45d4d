/**
 * The program and its runtime in one file, as `deno task build:binary` makes it: what needs other processes or other
 * modules must find them inside.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "./exchanges.ts";
import { run } from "./real_clients.ts";
import { buildBinary } from "../../scripts/build_binary.ts";
import { folder } from "../support/folder.ts";
import { httpOrigin } from "../support/origin.ts";
import { Keys, Pair } from "../support/pair.ts";
import { childrenOf, ProgramRun, ProxyProcess } from "../support/proxy.ts";
import { type Row, setUp } from "../support/toolchain.ts";

setUp();

async function get(proxy: ProxyProcess, uri: string, ...fields: string[]): Promise<number> {
  using client = await proxy.connect();
  await client.send(request("GET", uri, "Connection: close", ...fields));
  return (await client.message()).status;
}

/** Runs a command of the program, which must succeed, in a folder without anything else. */
async function use({ command }: Row, place: string, ...words: string[]): Promise<string> {
  const { exit, output, errors } = await run(["env", `--chdir=${place}`, ...command, ...words]);
  assertEquals(exit, 0, errors);
  return String(output);
}

Deno.test("one file: commands, workers, a pair, config files and bcrypt work in it", async (t) => {
  using place = folder();
  const file = join(place.path, "sluice");
  // A runtime alone has some 100 MB.
  assert(await buildBinary("bun", file) < 200e6);
  const row: Row = { name: "binary", command: [file], lacks: {} };
  await using origin = await httpOrigin();
  const url = `http://${origin.authority}/`;

  await t.step("its version, help, manual page and unit", async () => {
    assertMatch(await use(row, place.path, "--version"), /^sluice \d/);
    assertMatch(await use(row, place.path, "help", "rules"), /^sluice help rules/);
    assertMatch(await use(row, place.path, "man"), /^\.TH SLUICE 1 /);
    assertMatch(
      await use(row, place.path, "print", "sluice.service"),
      new RegExp(`^ExecStart=${file} serve$`, "m"),
    );
  });

  await t.step("--workers", async () => {
    await using proxy = await ProxyProcess.start(row, ["--workers", "2"]);
    assertEquals(childrenOf(proxy.pid).length, 2);
    assertEquals(await get(proxy, url), 200);
    assertEquals(await proxy.stop(), 0);
  });

  await t.step("remote, local and check", async () => {
    await using keys = await Keys.make(row);
    await using pair = await Pair.start(row, keys);
    assertEquals(await get(pair.local, url), 200);
    await using checked = new ProgramRun(row, ["check", "-x", `127.0.0.1:${pair.local.port}`, url]);
    assertEquals(await checked.exit(), 0, checked.diagnostics.all.join("\n"));
  });

  await t.step("a config file, and users of htpasswd", async () => {
    const [config, users] = ["sluice.toml", "htpasswd"].map((name) => join(place.path, name));
    await writeFile(users, "zoe:$2y$05$feP1GlL39d6g.4ExeCn1A.ox9l.f3ZhnMrKIvm8WBEVcquj14wtia\n");
    await writeFile(config, `users-file = ${JSON.stringify(users)}\n`);
    await using proxy = await ProxyProcess.start(row, ["--config", config]);
    const words = btoa(String.fromCharCode(...new TextEncoder().encode("zoe:pässwörd")));
    assertEquals(await get(proxy, url, `Proxy-Authorization: Basic ${words}`), 200);
    assertEquals(await get(proxy, url), 407);
    assertEquals(await proxy.stop(), 0);
  });
});

Deno.test("one file: what cannot build it is told", async () => {
  const error = await buildBinary("node", "/nowhere/sluice").then(() => undefined, (error: Error) => error);
  assertEquals(error?.message, 'Cannot build with "node": use bun or deno');
});
