/**
 * The commands beside the proxy itself: `sluice explain` and `sluice passwd`.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request } from "./exchanges.ts";
import { run } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { addressRecords, NameServer } from "../support/name_server.ts";
import { httpOrigin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

interface Told {
  readonly exit: number | null;
  readonly output: string;
  readonly errors: string;
}

async function sluice({ command }: Row, args: readonly string[], input = ""): Promise<Told> {
  const environment = { NO_COLOR: "1" };
  const { exit, output, errors } = await run([...command, ...args], {
    environment,
    input: Buffer.from(input),
  });
  return { exit, output: String(output), errors };
}

testRows("--help: every command has its own, with its flags and no others", async (row) => {
  const [all, serve, explain, passwd] = await Promise.all(
    [[], ["serve"], ["explain"], ["passwd"]].map((words) => sluice(row, [...words, "--help"])),
  );
  for (const { exit, errors } of [all, serve, explain, passwd]) assertEquals([exit, errors], [0, ""]);
  assertEquals(serve, all);
  for (const name of ["serve", "explain TARGET", "passwd NAME"]) {
    assert(all.output.includes(`  ${name}  `), name);
  }
  assertMatch(explain.output, /^sluice explain - .*\n\nUsage: sluice explain \[flags\] TARGET\n/);
  assertMatch(passwd.output, /^sluice passwd - .*\n\nUsage: sluice passwd \[flags\] NAME\n/);
  const flags: readonly [flag: string, serve: boolean, explain: boolean, passwd: boolean][] = [
    ["--listen", true, false, false],
    ["--rules-file", true, true, false],
    ["--deny-private", true, true, false],
    ["--as", false, true, false],
    ["--from", false, true, false],
    ["--help", true, true, true],
  ];
  for (const [flag, ...has] of flags) {
    const shown = [serve, explain, passwd].map(({ output }) => new RegExp(`${flag}\\b`).test(output));
    assertEquals(shown, has, flag);
  }
  for (const { output } of [all, explain, passwd]) {
    assertEquals(output.split("\n").filter((line) => line.length > 80), []);
  }
});

testRows("a command that is misused says so in one line, with exit code 2", async (row) => {
  const wrong: [args: string[], input?: string][] = [
    [["explain"]],
    [["explain", "example.com"]],
    [["explain", "ann@example.com:80"]],
    [["explain", "example.com:80", "example.com:81"]],
    [["explain", "--listen", "127.0.0.1:0", "example.com:80"]],
    [["explain", "--allow-private", "--deny-private", "example.com:80"]],
    [["explain", "--deny", "10.0.0.1/8", "example.com:80"]],
    [["passwd", "a:b"], "secret\n"],
    [["passwd", "ann"], ""],
    [["passwd", "ann"], "\n"],
    [["passwd", "--user", "ann:secret", "ann"], "secret\n"],
    [["explian", "example.com:80"]],
  ];
  for (const [args, input] of wrong) {
    const { exit, output, errors } = await sluice(row, args, input);
    assertEquals(
      [exit, output, errors.trimEnd().split("\n").length],
      [2, "", 1],
      `${args.join(" ")}: ${errors}`,
    );
    assertMatch(errors, /^sluice: (?:--[a-z-]+: )?[A-Z].*[^.]\n$/);
  }
});

testRows("explain: the verdict, the rule that decides, and an exit code for scripts", async (row) => {
  await using server = await NameServer.start(({ name, type }) => {
    if (name === "none.test") return { rcode: "NXDOMAIN" };
    const addresses = name === "two.test" ? ["10.0.0.1", "192.0.2.1"] : ["10.0.0.1"];
    return { records: type === "A" ? addressRecords(addresses) : [] };
  });
  const dns = ["--dns", server.authority];
  const asked: [args: string[], exit: number, output: string][] = [
    [["example.com:443"], 0, "allow   example.com:443: no rule denies it"],
    [["--allow", "*.test", "example.com:443"], 3, "deny    example.com:443: no rule allows it"],
    [["--deny", "*.bad.test", "http://a.BAD.test/x?y"], 3, "deny    a.BAD.test:80: deny *.bad.test (--deny)"],
    [
      ["--rule", "allow a.test", "--deny", "*", "https://a.test"],
      0,
      "allow   a.test:443: allow a.test (--rule)",
    ],
    [["--deny", "* user=ann", "--as", "ann", "a.test:1"], 3, "deny    a.test:1: deny * user=ann (--deny)"],
    [["--deny", "* user=ann", "--as", "bob", "a.test:1"], 0, "allow   a.test:1: no rule denies it"],
    [
      ["--deny", "* client=10.0.0.0/8", "--from", "10.1.2.3", "a.test:1"],
      3,
      "deny    a.test:1: deny * client=10.0.0.0/8 (--deny)",
    ],
    [
      ["--deny", "* protocol=udp", "--protocol", "udp", "a.test:1"],
      3,
      "deny    a.test:1: deny * protocol=udp (--deny)",
    ],
    [
      ["--connect-port", "443", "a.test:22"],
      3,
      "deny    a.test:22: deny protocol=connect,socks4,socks5,line !port=443 (--connect-port)",
    ],
    [["--connect-port", "443", "http://a.test:22/"], 0, "allow   a.test:22: no rule denies it"],
    [["--deny", "10.0.0.0/8", "10.1.2.3:80"], 3, "deny    10.1.2.3:80: deny 10.0.0.0/8 (--deny)"],
    [
      ["--deny-private", "[::ffff:127.0.0.1]:80"],
      3,
      "deny    [::ffff:127.0.0.1]:80 at ::ffff:127.0.0.1: loopback, as --deny-private has it",
    ],
    [["--allow-private", "127.0.0.1:80"], 0, "allow   127.0.0.1:80: no rule denies it"],
    [
      ["--route", "*.corp.test via socks5://ann:s3cr3t@127.0.0.1:1", "a.corp.test:80"],
      0,
      "allow   a.corp.test:80: no rule denies it",
    ],
  ];
  for (const [args, exit, output] of asked) {
    const told = await sluice(row, ["explain", ...dns, ...args]);
    assertEquals([told.exit, told.errors], [exit, ""], args.join(" "));
    assertEquals(told.output.trimEnd().split("\n").at(-1), output);
    assert(!told.output.includes("s3cr3t"), told.output);
  }
  assertEquals(server.questions.all, []);

  const resolved: [args: string[], exit: number, output: string][] = [
    [
      ["--limit", "*.test to 10MB/s per user", "--limit", "user=bob to 1 connections", "a.test:443"],
      0,
      "limit   10MB/s per user: limit *.test to 10MB/s per user (--limit)\n" +
      "allow   a.test:443: no rule denies it\n",
    ],
    [
      ["--deny", "10.0.0.0/8", "one.test:80"],
      3,
      "deny    one.test:80 at 10.0.0.1: deny 10.0.0.0/8 (--deny)\n",
    ],
    [
      ["--deny", "10.0.0.0/8", "two.test:80"],
      0,
      "deny    two.test:80 at 10.0.0.1: deny 10.0.0.0/8 (--deny)\nallow   two.test:80 at 192.0.2.1: no rule denies it\n",
    ],
    [
      ["--deny-private", "one.test:80"],
      3,
      "deny    one.test:80 at 10.0.0.1: private, as --deny-private has it\n",
    ],
  ];
  for (const [args, exit, output] of resolved) {
    const told = await sluice(row, ["explain", ...dns, ...args]);
    assertEquals(told, { exit, output, errors: "" });
  }
  const unknown = await sluice(row, ["explain", ...dns, "--deny", "10.0.0.0/8", "none.test:80"]);
  assertEquals([unknown.exit, unknown.output], [1, ""]);
  assertMatch(unknown.errors, /^sluice: Cannot resolve "none\.test": [^\n]*\n$/);
}, { permissions: ["-E"] });

testRows("explain: rules of a file are named by their line", async (row) => {
  using place = folder();
  const file = join(place.path, "rules");
  await writeFile(file, "# mail\n\ndeny *:25\n");
  assertEquals(await sluice(row, ["explain", "--rules-file", file, "a.test:25"]), {
    exit: 3,
    output: `deny    a.test:25: deny *:25 (${file}:3)\n`,
    errors: "",
  });
}, { needs: "files", permissions: ["-E", "-R", "-W"] });

testRows("passwd: its line lets the user in, and the password is nowhere to be seen", async (row) => {
  using place = folder();
  const file = join(place.path, "users");
  const password = "pässwörd: # 1 ";
  const [ann, bob] = await Promise.all([
    sluice(row, ["passwd", "ann"], `${password}\n`),
    sluice(row, ["passwd", "bob"], `${password}\r\nmore`),
  ]);
  for (const { exit, output, errors } of [ann, bob]) {
    assertEquals([exit, errors], [0, ""]);
    assertMatch(output, /^(?:ann|bob):\$\S+\n$/);
    assert(!output.includes("ssw"));
  }
  assert(ann.output.slice(4) !== bob.output.slice(4), "Two hashes have one salt");
  await writeFile(file, ann.output + bob.output);

  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, ["--users-file", file]);
  const attempts = [["ann", password, 200], ["bob", password, 200], ["ann", password.trim(), 407]] as const;
  for (const [user, password, status] of attempts) {
    using client = await proxy.connect();
    const credentials = Buffer.from(`${user}:${password}`).toString("base64");
    await client.send(
      request("GET", `http://${origin.authority}/`, `Proxy-Authorization: Basic ${credentials}`),
    );
    assertEquals((await client.message()).status, status, user);
  }
  assertEquals(await proxy.stop(), 0);
}, { needs: "files", permissions: ["-R", "-W"] });
