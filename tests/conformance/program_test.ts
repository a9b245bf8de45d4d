/**
 * The program as scripts see it: arguments, exit codes, signals, listeners and logs.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { request, SOCKS5_GREETING, socks5Request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { echoOrigin, httpOrigin, Origin } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

const FILES = ["-R", "-W"];

interface Outcome {
  readonly exit: number | string;
  readonly output: string;
  readonly diagnostics: readonly string[];
}

async function run(row: Row, ...args: string[]): Promise<Outcome> {
  await using program = new ProgramRun(row, args);
  const exit = await program.exit();
  return { exit, output: program.output.all.join("\n"), diagnostics: program.diagnostics.all };
}

/**
 * Runs a command on a terminal of its own; when it listens, sends SIGHUP, closes the terminal and tells what came of both. The
 * last word is "ended" when the command has.
 */
const ON_TERMINAL = `
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
def until(text, said=b""):
    while text not in said: said += os.read(terminal, 4096)
until(b"listening on")
os.kill(pid, signal.SIGHUP)
until(b"anew")
print("still there behind SIGHUP", flush=True)
os.close(terminal)
os.waitpid(pid, 0)
print("ended", flush=True)
`;

/**
 * The same of a background job of a shell. Some terminal emulators send SIGHUP first and close the terminal behind it: the job is
 * told nothing of that.
 */
const IN_BACKGROUND = `
import os, pty, re, signal, sys, time
pid, terminal = pty.fork()
if pid == 0: os.execvp("sh", ["sh", "-mc", '"$@" & echo "job $!"; wait; exec sleep 60', "sh"] + sys.argv[1:])
def until(text, said=b""):
    while text not in said: said += os.read(terminal, 4096)
    return said
job = int(re.search(rb"job (\\d+)", until(b"listening on"))[1])
os.kill(job, signal.SIGHUP)
until(b"anew")
os.close(terminal)
os.waitpid(pid, 0)
try:
    while open(f"/proc/{job}/stat").read().rsplit(")")[1].split()[0] != "Z": time.sleep(0.1)
except FileNotFoundError: pass
print("ended", flush=True)
`;

testRows("--help and --version go to standard output and exit with 0", async (row) => {
  const [help, short, version] = await Promise.all(
    ["--help", "-h", "--version"].map((flag) => run(row, flag)),
  );
  assertEquals([help.exit, help.diagnostics], [0, []]);
  for (const flag of ["--listen", "--access-log", "--max-connections", "--drain-timeout"]) {
    assert(help.output.includes(flag), flag);
  }
  assertEquals(short, help);
  assertEquals([version.exit, version.diagnostics], [0, []]);
  assertMatch(version.output, /^sluice \d+\.\d+\.\d+$/);
});

testRows("what cannot be used is told in one line on standard error, with exit code 2", async (row) => {
  const wrong = [
    ["--lisen", "127.0.0.1:0"],
    ["--listen"],
    ["--listen", "127.0.0.1:99999"],
    ["--listen", "ftp://127.0.0.1:0"],
    ["--listen", "127.0.0.1:0", "--header-timeout", "soon"],
    ["--listen", "127.0.0.1:0", "--max-connections", "0"],
    ["--listen", "127.0.0.1:0", "--log-format", "xml"],
    ["--listen", "127.0.0.1:0", "-q", "--log-level", "debug"],
    ["--listen", "0.0.0.0:0"],
    ["serv"],
  ];
  // One after the other: all rows at once are many programs already.
  for (const args of wrong) {
    const { exit, output, diagnostics } = await run(row, ...args);
    assertEquals(
      [exit, output, diagnostics.length],
      [2, "", 1],
      `${args.join(" ")}: ${diagnostics.join("\n")}`,
    );
    assertMatch(diagnostics[0], /^sluice: (?:--[a-z-]+: )?[A-Z].*[^.]$/);
  }
});

testRows("an address in use is told in one line on standard error, with exit code 1", async (row) => {
  await using origin = await Origin.listen();
  const { exit, output, diagnostics } = await run(
    row,
    "--listen",
    "127.0.0.1:0",
    "--listen",
    origin.authority,
  );
  assertEquals([exit, output, diagnostics.length], [1, "", 1], diagnostics.join("\n"));
  assertMatch(diagnostics[0], /^sluice: .*in use/);
  assert(diagnostics[0].includes(origin.authority), diagnostics[0]);
});

testRows(
  "schemes and localhost are the same in capitals: of listeners, upstreams, routes and rules",
  async (row) => {
    await using next = await Origin.listen();
    await using proxy = await ProxyProcess.start(row, [
      ...["--listen", "HTTP://127.0.0.1:0", "--listen", "LOCALHOST:0", "--listen", "Http://LocalHost:0"],
      ...["--proxy", `SOCKS5H://${next.authority}`, "--deny", "denied.test protocol=HTTP"],
      ...["--route", `route.test via HTTP://${next.authority}`, "--route", "direct.test via DIRECT"],
    ]);
    for (const address of proxy.addresses) {
      using client = await proxy.connect(address);
      await client.send(request("GET", "http://denied.test/"));
      assertEquals((await client.message()).status, 403);
    }
    using client = await proxy.connect();
    await client.send(request("GET", "http://route.test/"));
    using sent = await next.accept();
    assertMatch(await sent.readUntil("\r\n"), /^GET http:\/\/route\.test\/ /);
    using other = await proxy.connect();
    await other.send(request("GET", "http://other.test/"));
    using greeted = await next.accept();
    assertEquals([...await greeted.read(1)], [5]);
  },
);

testRows("every listener has a line, and one with a scheme speaks that protocol alone", async (row) => {
  await using proxy = await ProxyProcess.start(row, [
    "--listen",
    "socks5://[::1]:0",
    "--listen",
    "http://127.0.0.1:0",
  ]);
  const [auto, socks5, http] = proxy.addresses;
  await using origin = await httpOrigin();
  const get = request("GET", `http://${origin.authority}/`, "Connection: close");
  for (const address of [auto, http]) {
    using client = await proxy.connect(address);
    await client.send(get);
    assertEquals((await client.message()).text, "ok");
  }
  for (const [address, bytes] of [[socks5, get], [http, SOCKS5_GREETING]] as const) {
    using client = await proxy.connect(address);
    await client.send(bytes);
    await client.ending();
    assertEquals(client.received.length, 0);
  }
  for (const address of [auto, socks5]) {
    using client = await proxy.connect(address);
    await client.send(SOCKS5_GREETING);
    assertEquals([...await client.read(2)], [5, 0]);
  }
  assertEquals(await proxy.stop(), 0);
});

testRows("a Unix socket listens for every protocol, and its file goes with the proxy", async (row) => {
  using place = folder();
  const path = join(place.path, "proxy.sock");
  await using proxy = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
  assertEquals(proxy.addresses[1], { path });
  await using origin = await echoOrigin();
  for (const half of ["whole", "FIN first"]) {
    using client = await proxy.connect({ path });
    await client.send(SOCKS5_GREETING);
    await client.send(socks5Request("127.0.0.1", origin.port));
    await client.send(half);
    client.end();
    assertEquals((await client.readToEnd()).subarray(2 + 10).toString(), half);
  }
  using client = await proxy.connect({ path });
  await client.send(`CONNECT ${origin.authority} HTTP/1.1\r\nHost: x\r\n\r\nhello`);
  client.end();
  assertMatch(String(await client.readToEnd()), /^HTTP\/1\.1 200 .*\r\n\r\nhello$/s);
  assertEquals(await proxy.stop(), 0);
  assert(!existsSync(path), "The socket's file is still there");
}, { needs: "unix sockets", permissions: FILES });

/** Asserts that the listener is closed, or about to be: until then the system may take connections and drop them. */
async function assertClosed(proxy: ProxyProcess): Promise<void> {
  for (const deadline = Date.now() + 2000; Date.now() < deadline;) {
    const client = await proxy.connect().catch((error: Error) => error);
    if (!(client instanceof Error)) client[Symbol.dispose]();
    else if (client.message.includes("ECONNREFUSED")) return;
  }
  throw new Error("The listener still accepts");
}

testRows(
  "SIGTERM and SIGINT close the listener and idle clients, let transfers finish and exit with 0",
  async (row) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using proxy = await ProxyProcess.start(row);
      await using origin = await Origin.listen();
      await using kept = await httpOrigin();
      using idle = await proxy.connect();
      await idle.send(request("GET", `http://${kept.authority}/`));
      await idle.message();
      using silent = await proxy.connect();
      using downloading = await proxy.connect();
      await downloading.send(request("GET", `http://${origin.authority}/`));
      using download = await origin.accept();
      await download.message();
      await download.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
      await downloading.until("first");
      using tunneling = await tunnel(proxy, origin.authority);
      using target = await origin.accept();
      proxy.kill(signal);
      await Promise.all([idle.ending(), silent.ending()]);
      await assertClosed(proxy);
      await tunneling.send("going on");
      assertEquals(await target.readUntil("going on"), "going on");
      await download.send("later");
      assertEquals((await downloading.message()).text, "firstlater");
      await downloading.readToEnd();
      assert(proxy.alive, "It ended before the tunnel did");
      target.end();
      tunneling.end();
      assertEquals(await proxy.exit(), 0);
    }
  },
);

testRows("what has not finished at --drain-timeout is cut, and the exit code is 0", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--drain-timeout", "300ms"]);
  await using origin = await Origin.listen();
  using client = await tunnel(proxy, origin.authority);
  using target = await origin.accept();
  assertEquals(await proxy.stop(), 0);
  await Promise.all([client.ending(), target.ending()]);
});

testRows("a second signal exits at once", async (row) => {
  await using proxy = await ProxyProcess.start(row);
  await using origin = await Origin.listen();
  using client = await tunnel(proxy, origin.authority);
  proxy.kill("SIGTERM");
  await proxy.said(/Stopping at SIGTERM/);
  proxy.kill("SIGINT");
  assertEquals(await proxy.exit(), 130);
  await client.ending();
});

testRows("SIGHUP: a terminal that closes ends the proxy that was started on it", async (row) => {
  const { command: [program, ...args] } = row;
  const run = new ProgramRun(
    { ...row, command: ["python3", "-c", ON_TERMINAL, program, ...args] },
    ["--listen", "127.0.0.1:0"],
  );
  await using _ = run;
  await run.exit();
  assertEquals(run.output.all, ["still there behind SIGHUP", "ended"]);
}, { programs: ["python3"] });

testRows("SIGHUP: a terminal that closes shortly behind it ends a background job, too", async (row) => {
  const { command: [program, ...args] } = row;
  const command = ["python3", "-c", IN_BACKGROUND, program, ...args];
  await using run = new ProgramRun({ ...row, command }, ["--listen", "127.0.0.1:0"]);
  await run.exit();
  assertEquals(run.output.all, ["ended"]);
}, { programs: ["python3", "sh"] });

testRows("the access log has one line for each request and tunnel, as text or JSON", async (row) => {
  await using origin = await httpOrigin();
  const uri = `http://${origin.authority}/path?query`;
  for (const format of ["text", "json"]) {
    await using proxy = await ProxyProcess.start(row, ["--log-format", format, "--log-query"]);
    using client = await proxy.connect();
    await client.send(request("GET", uri) + request("POST", uri, "Content-Length: 4") + "body");
    await client.message();
    await client.message();
    client.end();
    await client.readToEnd();
    assertEquals(await proxy.stop(), 0);
    const lines = proxy.output.all;
    assertEquals(lines.length, 2);
    if (format === "text") {
      assert(lines[0].includes(` - http GET ${uri} 200 completed sent=0 received=2 `), lines[0]);
      assert(lines[1].includes(` - http POST ${uri} 200 completed sent=4 received=2 `), lines[1]);
    } else {
      const { time, id, ...record } = JSON.parse(lines[1]);
      assertEquals([new Date(time).toISOString(), id], [time, JSON.parse(lines[0]).id]);
      for (
        const [key, value] of Object.entries({
          protocol: "http",
          method: "POST",
          target: uri,
          status: 200,
          bytes_sent: 4,
          ending: "completed",
        })
      ) {
        assertEquals(record[key], value);
      }
    }
  }
});

testRows("the access log may go to a file, or nowhere", async (row) => {
  using place = folder();
  const path = join(place.path, "access.log");
  await using origin = await Origin.listen();
  for (const file of [path, "off"]) {
    await using proxy = await ProxyProcess.start(row, ["--access-log", file]);
    using client = await tunnel(proxy, origin.authority);
    client.end();
    (await origin.accept()).end();
    await client.readToEnd();
    assertEquals(await proxy.stop(), 0);
    assertEquals(proxy.output.all, []);
  }
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line).target), [origin.authority]);
}, { needs: "files", permissions: FILES });

testRows(
  "nothing that a client sends adds a line or a field to a log, and no secret gets into one",
  async (row) => {
    await using origin = await httpOrigin();
    const lines = {
      json: /^\{"time":[\x20-\x7E]*\}$/,
      text: /^[^" ]+(?: [^" ]+)+(?: reason="[\x20-\x21\x23-\x7E]*")?$/,
    };
    for (const [format, line] of Object.entries(lines)) {
      await using proxy = await ProxyProcess.start(row, ["-v", "--log-format", format]);
      for (const name of ["a\r\nevil 1", "evil 2\x1B[2J\n", 'evil 3"\\']) {
        using client = await proxy.connect();
        await client.send(SOCKS5_GREETING);
        await client.send(socks5Request(name, 80));
        await client.ending();
      }
      for (const uri of [`http://user:secret@${origin.authority}/`, `http://${origin.authority}/`]) {
        using client = await proxy.connect();
        await client.send(
          `GET ${uri} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic c2VjcmV0\r\nConnection: close\r\n\r\n`,
        );
        await client.readToEnd();
      }
      assertEquals(await proxy.stop(), 0);
      assertEquals(proxy.output.all.length, 5, proxy.output.all.join("\n"));
      for (const record of proxy.output.all) assertMatch(record, line);
      for (const message of proxy.diagnostics.all) {
        assertMatch(message, /^(?:\d{4}-\S+ (?:debug|info ) |listening on )[\x20-\x7E]*$/);
      }
      assert(!/secret|c2VjcmV0/.test([...proxy.output.all, ...proxy.diagnostics.all].join()));
    }
  },
);

testRows("the environment has a say where a flag has none", async (row) => {
  await using program = new ProgramRun(row, ["--drain-timeout", "1s"], {
    SLUICE_LISTEN: "127.0.0.1:0,socks5://127.0.0.1:0",
    SLUICE_DRAIN_TIMEOUT: "never",
  });
  await program.said(/^listening on 127\.0\.0\.1:\d+$/, 2);
  program.kill("SIGTERM");
  assertEquals(await program.exit(), 0);
}, { permissions: ["--allow-env"] });

testRows("every flag and its variable do the same, also those that are short for another", async (row) => {
  await isRefused(row, /^sluice: SLUICE_DENY: Invalid rule/, { SLUICE_DENY: "10.0.0.1/8" });
  await isRefused(row, /^sluice: SLUICE_ALLOW: Invalid rule/, { SLUICE_ALLOW: "a.test; 10.0.0.1/8" });
  await isRefused(row, /^sluice: SLUICE_ROUTE: Invalid rule/, { SLUICE_ROUTE: "a.test" });
  await isRefused(row, /^sluice: The variables "SLUICE_VERBOSE" and "SLUICE_QUIET"/, {
    SLUICE_VERBOSE: "1",
    SLUICE_QUIET: "1",
  });
  await isRefused(row, /^sluice: Unknown variable "SLUICE_LISTNE": did you mean "SLUICE_LISTEN"\?$/, {
    SLUICE_LISTNE: ":1",
  });
  await using origin = await httpOrigin();
  const variables = { SLUICE_DENY: origin.authority };
  await using proxy = await ProxyProcess.start(row, [], variables);
  using client = await proxy.connect();
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).status, 403);
  assertEquals(await proxy.stop(), 0);
}, { permissions: ["-E"] });

/** Starts a program that must not start, and looks at what it says. */
async function isRefused(row: Row, pattern: RegExp, environment: Record<string, string>): Promise<void> {
  await using program = new ProgramRun(row, ["--listen", "127.0.0.1:0"], environment);
  assertEquals(await program.exit(), 2);
  assertEquals(program.diagnostics.all.length, 1);
  assertMatch(program.diagnostics.all[0], pattern);
}

const UNREAD = / info  ?SLUICE_\* variables (?:other than \S+ )?are not read: /;

for (const permissions of [[], ["-E"], ["-E=SLUICE_USER"]]) {
  testRows(
    `a user of the environment counts, or it is told that none was read: ${permissions}`,
    async (row) => {
      await using origin = await httpOrigin();
      // Also who wants it quiet must know that everybody is let in.
      await using proxy = await ProxyProcess.start(row, ["-q"], { SLUICE_USER: "ann:secret" });
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/`));
      const { status } = await client.message();
      const told = proxy.diagnostics.all.filter((line) => UNREAD.test(line));
      if (status === 200) await proxy.said(UNREAD);
      if (status !== 407) assertEquals([status, told.length], [200, 1]);
      for (const line of told) assert(status === 200 || line.includes("other than SLUICE_USER"), line);
      assertEquals(await proxy.stop(), 0);
    },
    { permissions },
  );
}

testRows("no spelling of a flag outside the table is taken", async (row) => {
  const wrong = [
    "--no-allow-open=true",
    "--no-listen=127.0.0.1:0",
    "--listen.a=127.0.0.1:0",
    "--__proto__=1",
  ];
  for (const arg of wrong) {
    const { exit, diagnostics } = await run(row, "--listen", "127.0.0.1:0", arg);
    assertEquals([exit, diagnostics.length], [2, 1], arg);
    assertMatch(diagnostics[0], /^sluice: Unknown flag "/);
  }
});

testRows("help is a word, too, and of a command", async (row) => {
  const pairs = [[["help"], ["--help"]], [["help", "explain"], ["explain", "--help"]]];
  for (const pair of pairs) {
    const [word, flag] = await Promise.all(pair.map((args) => run(row, ...args)));
    assertEquals(word, flag);
    assertEquals([word.exit, word.diagnostics], [0, []]);
  }
});

testRows("help tells of topics, and what somebody meant who misspelt one", async (row) => {
  const [rules, wrong] = await Promise.all(["rules", "ruels"].map((word) => run(row, "help", word)));
  assertEquals([rules.exit, rules.diagnostics], [0, []]);
  assertMatch(rules.output, /^sluice help rules - /);
  assertEquals([wrong.exit, wrong.output], [2, ""]);
  assertEquals(wrong.diagnostics, ['sluice: Unknown topic "ruels": did you mean "rules"?']);
});
