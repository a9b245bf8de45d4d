/**
 * The destination guard on the wire: what must never be reached, in every spelling and on every protocol.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import { readCases } from "../support/corpus.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import { rows } from "../support/toolchain.ts";
import { run } from "./real_clients.ts";

const suite = new Suite({ flags: ["--deny-private"] });

interface Target {
  readonly host: string;
  readonly port: number;
  readonly expect: "deny" | "allow" | "either";
}

/**
 * Those that must be refused, without the one that a name server would have to be asked for. The others would be dialed
 * for real, and tests stay on this machine.
 */
const DENIED: readonly Target[] = (readCases<Target>("ssrf-targets.jsonl") ?? [])
  .filter(({ expect, host }) => expect === "deny" && !host.endsWith(".internal"));

suite.test(`${DENIED.length} prohibited targets of the corpus are refused on every protocol and never dialed`, async (proxy) => {
  if (DENIED.length === 0) return console.log("guard_test: there is no corpus beside the checkout");
  const reached: string[] = [];
  for (const { host, port } of DENIED) {
    const name = host.replace(/^\[|\]$/g, "");
    const attempts: [protocol: string, bytes: string | Uint8Array][] = [
      ["absolute-form", `GET http://${host}:${port}/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`],
      ["CONNECT", `CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`],
      ["SOCKS4a", socks4Request(name, port)],
    ];
    for (const [protocol, bytes] of attempts) {
      using client = await proxy.connect();
      await client.send(bytes);
      const answer = (await client.readToEnd()).toString("latin1");
      const refused = protocol === "SOCKS4a" ? answer[1] !== "\x5A" : /^HTTP\/1\.1 [45]/.test(answer);
      if (!refused) reached.push(`${protocol} ${host}:${port}: ${answer.slice(0, 40)}`);
    }
    using client = await proxy.connect();
    const domain = Uint8Array.from([
      5,
      1,
      0,
      3,
      name.length,
      ...new TextEncoder().encode(name),
      port >> 8,
      port & 255,
    ]);
    await client.send(Uint8Array.from([...SOCKS5_GREETING, ...domain]));
    const answer = await client.readToEnd();
    if (answer[3] === 0) reached.push(`SOCKS5 ${host}:${port}`);
  }
  assertEquals(reached, []);
  const dialed = proxy.output.all.map((line) => JSON.parse(line)).filter((record) =>
    record.dialed !== undefined
  );
  assertEquals(dialed, []);
});

suite.test("addresses of this machine are refused with their name, and nothing connects to them", async (proxy) => {
  await using origin = await Origin.listen();
  {
    using client = await proxy.connect();
    await client.send(request("GET", `http://${origin.authority}/`));
    const answer = await client.message();
    assertEquals(answer.status, 403);
    assertMatch(String(answer.field("proxy-status")), /error=destination_ip_prohibited$/);
  }
  {
    using client = await proxy.connect();
    await client.send(Uint8Array.from([...SOCKS5_GREETING, ...socks5Request("127.0.0.1", origin.port)]));
    await client.read(2);
    assertEquals(await socks5Reply(client), 2);
  }
  assertEquals(await origin.isUntouched(), true);
});

testRows(
  "the guard is on where others can use the proxy, and off where --allow-private says so",
  async (row) => {
    await using origin = await Origin.listen(async (connection) => {
      await connection.message();
      await connection.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    });
    const open = ["--listen", "0.0.0.0:0", "--allow-open"];
    for (const [flags, status] of [[open, 403], [[...open, "--allow-private"], 204], [[], 204]] as const) {
      await using proxy = await ProxyProcess.start(row, flags);
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/`, "Connection: close"));
      assertEquals((await client.message()).status, status, flags.join(" "));
    }
  },
);

/** The schemes of upstreams that resolve, each for a port that clients ask for. */
const RESOLVING: readonly string[] = ["http", "socks4a", "socks5h", "line"];

/** What some resolver takes for loopback, for a private address, or for one that carries such an address. */
const SPELLINGS: readonly string[] = [
  ...[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.1.",
    "127.0.1",
    "2130706433",
    "6425673729",
    "0x7f.1",
    "0X7F000001",
  ],
  ...["0177.0.0.1", "00000177.1", "0x7f.0.0.01", "017700000001", "127.0.0.08", "0", "0x", "0.0"],
  ...["localhost", "LocalHost.", "a.localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback."],
  ...["metadata.google.internal", "2852039166", "0xa9.0xfe.0xa9fe", "168.63.129.16", "0xa83f8110"],
  ...["[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]"],
  ...["[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:4860::5efe:127.0.0.1]", "[2001:4860::200:5efe:7f00:1]"],
];

testRows(
  "where an upstream resolves, no spelling of an address passes the guard or a rule about addresses",
  async (row) => {
    await using upstream = await httpOrigin();
    const routes = RESOLVING.flatMap((scheme, i) => [
      "--route",
      `*:${i + 1} via ${scheme}://${upstream.authority}`,
    ]);
    const rules = ["127.0.0.0/8,::1", "169.254.0.0/16,168.63.129.16"].flatMap((block) => [
      "--deny",
      block,
    ]);
    await using guarded = await ProxyProcess.start(row, ["--deny-private", ...routes]);
    await using ruled = await ProxyProcess.start(row, ["--allow-private", ...rules, ...routes]);
    const passed: string[] = [];
    for (const proxy of [guarded, ruled]) {
      for (const [i, scheme] of RESOLVING.entries()) {
        for (const host of SPELLINGS) {
          using client = await proxy.connect();
          await client.send(`GET http://${host}:${i + 1}/ HTTP/1.1\r\nHost: ${host}:${i + 1}\r\n\r\n`);
          const { status } = await client.message();
          if (status !== 403) {
            passed.push(`${proxy === guarded ? "guard" : "rule"}, ${scheme}: ${host} ${status}`);
          }
        }
      }
    }
    assertEquals(passed, []);
    assertEquals(await upstream.isUntouched(), true);
    for (const proxy of [guarded, ruled]) {
      using client = await proxy.connect();
      // A connection to an upstream that is kept is no way past the guard either.
      for (const [host, status] of [["public.test", 200], ["127.1", 403], ["8.8.8.8", 200]] as const) {
        await client.send(request("GET", `http://public.test:1/`).replaceAll("public.test", host));
        assertEquals((await client.message()).status, status, host);
      }
    }
  },
);

/**
 * Those that are public. They cannot be dialed here, so the guard is asked what it would do; `172.16.1.1` is
 * private (RFC 1918), whatever the corpus says.
 */
const ALLOWED: readonly Target[] = (readCases<Target>("ssrf-targets.jsonl") ?? [])
  .filter(({ expect, host }) => expect === "allow" && host !== "172.16.1.1");

Deno.test({
  name: `${ALLOWED.length} public targets of the corpus are let through by the guard`,
  ignore: ALLOWED.length === 0,
  async fn() {
    const [{ command }] = rows();
    const verdicts = await Promise.all(ALLOWED.map(async ({ host, port }) => {
      const target = `${host}:${port}`;
      const { exit, output } = await run([...command, "explain", "--deny-private", target]);
      return [target, exit, String(output).split(" ")[0]];
    }));
    assertEquals(verdicts, ALLOWED.map(({ host, port }) => [`${host}:${port}`, 0, "allow"]));
  },
});
