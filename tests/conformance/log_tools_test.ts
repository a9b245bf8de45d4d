/**
 * The access log in the hands of other programs: logrotate renames it, goaccess and sarg read it, and people look at it
 * on a terminal.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { request, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { run } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { echoOrigin, httpOrigin, type Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { Row } from "../support/toolchain.ts";

const FILES = ["-R", "-W"] as const;

async function get(proxy: ProxyProcess, uri: string, ...fields: string[]): Promise<number> {
  using client = await proxy.connect();
  await client.send(request("GET", uri, "Connection: close", ...fields));
  return (await client.message()).status;
}

/** Runs a program that must succeed. */
async function use(...command: string[]): Promise<string> {
  const { exit, output, errors } = await run(command);
  assertEquals(exit, 0, `${command[0]}: ${errors}${output}`);
  return String(output);
}

/** How often logrotate takes the file away while requests come. */
const ROTATIONS = 3;

async function rotates(row: Row, flags: readonly string[], workers: number): Promise<void> {
  using place = folder();
  const [log, rules] = ["access.log", "logrotate.conf"].map((name) => join(place.path, name));
  await using origin = await httpOrigin();
  await using proxy = await ProxyProcess.start(row, ["--access-log", log, ...flags]);
  const lines = `rotate 9\ncompress\ndelaycompress\npostrotate\nkill -USR1 ${proxy.pid}\nendscript`;
  await writeFile(rules, `${log} {\n${lines}\n}\n`);
  let count = 0;
  let stopped = false;
  const load = Array.from({ length: 3 }, async () => {
    while (!stopped) assertEquals(await get(proxy, `http://${origin.authority}/${++count}.`), 200);
  });
  const more = async () => {
    const until = count + 10;
    while (count < until) await get(proxy, `http://${origin.authority}/${++count}.`);
  };
  for (let i = 1; i <= ROTATIONS; i++) {
    await more();
    await use("logrotate", "--force", "--state", join(place.path, "state"), rules);
    await proxy.said(/Opened the access log anew/, i * workers);
  }
  await more();
  stopped = true;
  await Promise.all(load);
  assertEquals(await proxy.stop(), 0);
  const files = readdirSync(place.path).filter((name) => name.startsWith("access.log"));
  assertEquals(files.length, ROTATIONS + 1, String(files));
  const texts = files.map((name) => readFileSync(join(place.path, name))).map((bytes, i) =>
    String(files[i].endsWith(".gz") ? gunzipSync(bytes) : bytes)
  );
  assert(texts.every((text) => text.endsWith("}\n")), "A file has no line, or a part of one");
  const numbers = texts.flatMap((text) =>
    [...text.matchAll(/\/(\d+)\."/g)].map(([, number]) => Number(number))
  );
  assertEquals(numbers.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i + 1));
}

testRows("access log: logrotate takes the file away under load, and no line is lost", async (row) => {
  await rotates(row, [], 1);
}, { needs: "files", permissions: FILES, programs: ["logrotate"] });

testRows(
  "access log: logrotate takes the file away from several workers, and no line is lost",
  async (row) => {
    await rotates(row, ["--workers", "2"], 2);
  },
  { needs: "workers", permissions: FILES, programs: ["logrotate"] },
);

/** Makes a request of each kind. Returns how many records there are. */
async function useInEveryWay(
  proxy: ProxyProcess,
  { web, echo }: Record<"web" | "echo", Origin>,
): Promise<number> {
  const login = (words: string) => `Proxy-Authorization: Basic ${btoa(words)}`;
  const url = `http://${web.authority}/page`;
  assertEquals(await get(proxy, url, login("ann:secret")), 200);
  assertEquals(await get(proxy, url, login("b ob:hidden")), 407);
  assertEquals(await get(proxy, "http://denied.test/", login("ann:secret")), 403);
  assertEquals(await get(proxy, "http://127.0.0.1:1/", login("ann:secret")), 502);
  using http = await proxy.connect();
  await http.send(
    `CONNECT ${echo.authority} HTTP/1.1\r\nHost: ${echo.authority}\r\n${login("ann:secret")}\r\n\r\n`,
  );
  await http.readUntil("\r\n\r\n");
  await http.end();
  using socks = await proxy.connect();
  await socks.send(Uint8Array.of(5, 1, 2));
  await socks.read(2);
  await socks.send(
    Uint8Array.of(1, 3, ...new TextEncoder().encode("ann"), 6, ...new TextEncoder().encode("secret")),
  );
  await socks.read(2);
  await socks.send(socks5Request("127.0.0.1", echo.port));
  assertEquals(await socks5Reply(socks), 0);
  await socks.end();
  using broken = await proxy.connect();
  await broken.send("GET nonsense\r\n\r\n");
  assertEquals((await broken.message()).status, 400);
  return 7;
}

/** A log in a format, written by a proxy that was used in every way. */
async function logIn(row: Row, format: string, path: string): Promise<{ file: string; count: number }> {
  await using web = await httpOrigin();
  await using echo = await echoOrigin();
  const file = join(path, `${format}.log`);
  const flags = [
    "--access-log",
    file,
    "--log-format",
    format,
    "--user",
    "ann:secret",
    "--deny",
    "denied.test",
  ];
  await using proxy = await ProxyProcess.start(row, flags);
  const count = await useInEveryWay(proxy, { web, echo });
  assertEquals(await proxy.stop(), 0);
  const text = readFileSync(file, "utf8");
  assertEquals(text.split("\n").length, count + 1, text);
  assert(!/secret|hidden/.test(text), text);
  assert(/b\\x20ob|"b ob"/.test(text), text);
  return { file, count };
}

/** goaccess's name for the first format needs the prefix of syslog in front of Squid's own line. */
const SQUID = ["--log-format=%x.%^ %~%L %h %^/%s %b %m %U %e %^", "--date-format=%s", "--time-format=%s"];

testRows("access log: goaccess reads the formats combined and squid", async (row) => {
  using place = folder();
  for (
    const [format, flags, unread] of [["combined", ["--log-format=COMBINED"], 0], [
      "squid",
      SQUID,
      1,
    ]] as const
  ) {
    const { file, count } = await logIn(row, format, place.path);
    const report = join(place.path, `${format}.json`);
    await use("goaccess", file, ...flags, "--no-global-config", "--no-progress", "-o", report);
    const { general, requests, status_codes } = JSON.parse(readFileSync(report, "utf8"));
    // What is no request has no method: Squid has such lines, too.
    assertEquals([general.valid_requests, general.failed_requests], [count - unread, unread]);
    const methods = requests.data.map(({ method }: { method: string }) => method);
    assert(methods.includes("GET") && methods.includes("CONNECT"), String(methods));
    assertMatch(JSON.stringify(status_codes), /407.*403|403.*407/);
  }
}, { needs: "files", permissions: FILES, programs: ["goaccess"] });

testRows("access log: sarg reads the format squid", async (row) => {
  using place = folder();
  const { file, count } = await logIn(row, "squid", place.path);
  const reports = join(place.path, "reports");
  const told = await run(["sarg", "-x", "-l", file, "-o", reports, "-w", place.path]);
  assertEquals(told.exit, 0, told.errors);
  assertMatch(
    told.errors + told.output,
    new RegExp(`Records read: ${count}, written: ${count}, excluded: 0`),
  );
  const [period] = readdirSync(reports).filter((name) => /^\d{4}/.test(name));
  assert(existsSync(join(reports, period, "ann")), String(readdirSync(join(reports, period))));
  assert(readFileSync(join(reports, period, "authfail.html"), "utf8").includes("x20ob"));
}, { needs: "files", permissions: FILES, programs: ["sarg"] });

testRows(
  "access log: ecs and json are objects, and a failed login has the name that was tried",
  async (row) => {
    using place = folder();
    for (const [format, name] of [["json", "tried_user"], ["ecs", "sluice.tried_user"]]) {
      const { file } = await logIn(row, format, place.path);
      const records = readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
      assertEquals(records.map((record) => record[name]).filter((name) => name !== undefined), ["b ob"]);
    }
  },
  { needs: "files", permissions: FILES },
);

testRows("access log: a second SIGTERM leaves a file with the records of what was open", async (row) => {
  using place = folder();
  const log = join(place.path, "access.log");
  await using echo = await echoOrigin();
  await using proxy = await ProxyProcess.start(row, ["--access-log", log]);
  using _open = await tunnel(proxy, echo.authority);
  proxy.kill("SIGTERM");
  await proxy.said(/Stopping at SIGTERM/);
  proxy.kill("SIGTERM");
  assertEquals(await proxy.exit(), 143);
  const records = readFileSync(log, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(records.map(({ target, fault }) => [target, fault]), [[echo.authority, "proxy_shutdown"]]);
}, { needs: "files", permissions: FILES });

/** Runs a proxy on a terminal until it has logged a request for the first argument, and prints what the terminal shows. */
const ON_TERMINAL = `
import os, pty, re, signal, socket, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
said = b""
def until(pattern):
    global said
    while not re.search(pattern, said): said += os.read(terminal, 4096)
    return re.search(pattern, said)
port = int(until(rb"listening on 127.0.0.1:(\\d+)\\s")[1])
with socket.create_connection(("127.0.0.1", port)) as client:
    client.sendall(b"GET http://%s/page HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n" % sys.argv[1].encode())
    while client.recv(4096): pass
until(rb"/page.*\\n")
os.kill(pid, signal.SIGTERM)
os.waitpid(pid, 0)
sys.stdout.buffer.write(said)
`;

testRows("access log: on a terminal lines are short, and coloured unless NO_COLOR is set", async (row) => {
  await using origin = await httpOrigin();
  const command = ["python3", "-c", ON_TERMINAL, origin.authority, ...row.command, "--listen", "127.0.0.1:0"];
  for (const environment of [{ TERM: "xterm", NO_COLOR: "" }, { TERM: "xterm", NO_COLOR: "1" }]) {
    const { exit, output, errors } = await run(command, { environment });
    assertEquals(exit, 0, errors);
    const line = String(output).split(/\r?\n/).find((line) => line.includes("/page"))!;
    const dim = environment.NO_COLOR === "" ? "\x1b[2m" : "";
    const [green, off] = dim === "" ? ["", ""] : ["\x1b[32m", "\x1b[0m"];
    const [time, ...rest] = line.split(" ");
    assertMatch(time.replace(dim, "").replace(off, ""), /^\d\d:\d\d:\d\d$/);
    assertEquals(rest.slice(0, 3), [`${green}200${off}`, "GET", `http://${origin.authority}/page`]);
    assertEquals(line.includes("\x1b"), dim !== "", JSON.stringify(line));
  }
}, { programs: ["python3"] });
