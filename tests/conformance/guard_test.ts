/**
 * The destination guard on the wire: what must never be reached, in every spelling and on every protocol.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import { readCases } from "../support/corpus.ts";
import { Origin } from "../support/origin.ts";
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

suite.test(`2.2: ${DENIED.length} prohibited targets of the corpus are refused on every protocol and never dialed`, async (proxy) => {
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

suite.test("2.2: addresses of this machine are refused with their name, and nothing connects to them", async (proxy) => {
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
  "2.2: the guard is on where others can use the proxy, and off where --allow-private says so",
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

/**
 * Those that are public. They cannot be dialed here, so the guard is asked what it would do; `172.16.1.1` is
 * private (RFC 1918), whatever the corpus says.
 */
const ALLOWED: readonly Target[] = (readCases<Target>("ssrf-targets.jsonl") ?? [])
  .filter(({ expect, host }) => expect === "allow" && host !== "172.16.1.1");

Deno.test({
  name: `2.2: ${ALLOWED.length} public targets of the corpus are let through by the guard`,
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
