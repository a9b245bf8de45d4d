/**
 * `sluice top`: on a terminal, and without one.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProgramRun, ProxyProcess } from "../support/proxy.ts";

const TOKEN = "an-admin-token-of-more-than-forty-three-characters";

/**
 * A terminal of 100 columns and 24 lines. It waits for each text that it is given and then types the keys behind it, and
 * tells whether the terminal is as it was.
 */
const ON_TERMINAL = String.raw`
import fcntl, json, os, pty, struct, sys, termios
steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
said = b""
before = None
for text, keys in steps:
    while text.encode() not in said: said += os.read(terminal, 65536)
    if before is None: screen = said
    said = b""
    os.write(terminal, keys.encode())
end = b""
try:
    while True:
        more = os.read(terminal, 65536)
        if not more: break
        end += more
except OSError: pass
_, status = os.waitpid(pid, 0)
print(json.dumps({"end": end.decode()[-400:], "code": os.waitstatus_to_exitcode(status)}), flush=True)
`;

testRows(
  "top: on a terminal it shows what is under way, filters, closes, and leaves the terminal as it was",
  async (row) => {
    await using origin = await Origin.listen();
    await using proxy = await ProxyProcess.start(row, ["--admin", "127.0.0.1:0", "--admin-token", TOKEN]);
    const [, [, port]] = await proxy.said(/^listening on 127\.0\.0\.1:(\d+)$/, 2);
    using client = await tunnel(proxy, origin.authority);
    using far = await origin.accept();
    const steps = [
      [origin.authority, "/nothing"],
      ['0 of 1 match "nothing"', "\r"],
      ["q quit", "\x1b"],
      [origin.authority, "\x1b[B"],
      [origin.authority, "k"],
      ["? y/n", "y"],
      ["the token of --admin-token", `${TOKEN}\r`],
      ["closed: 1", "q"],
    ];
    const { command: [program, ...args] } = row;
    const command = ["python3", "-c", ON_TERMINAL, JSON.stringify(steps), program, ...args];
    await using run = new ProgramRun({ ...row, command }, ["top", `127.0.0.1:${port}`]);
    assertEquals(await run.exit(), 0);
    const { end, code } = JSON.parse(run.output.all.at(-1)!);
    assertEquals(code, 0);
    assertStringIncludes(end, "\x1b[?7h\x1b[?25h\x1b[?1049l");
    await client.ending();
    await far.ending();
    assertEquals((await proxy.record(origin.authority)).fault, "connection_closed");
  },
  { programs: ["python3"] },
);

testRows(
  "top: without a terminal it prints what is there, and ends; from the proxy's own port, too",
  async (row) => {
    await using origin = await Origin.listen();
    await using proxy = await ProxyProcess.start(row, []);
    using _ = await tunnel(proxy, origin.authority);
    await using run = new ProgramRun(row, ["top", `127.0.0.1:${proxy.port}`]);
    assertEquals(await run.exit(), 0);
    assertMatch(run.output.all[0], /^sluice proxy-\w+ {2}up \d+s {2}\d open$/);
    assert(run.output.all.some((line) => line.startsWith(origin.authority)));
  },
);

testRows("top: what is no proxy that shows its pages is told", async (row) => {
  await using web = await httpOrigin();
  await using run = new ProgramRun(row, ["top", `http://${web.authority}`]);
  assertEquals(await run.exit(), 1);
  assertMatch(run.diagnostics.all[0], /^sluice: /);
});
