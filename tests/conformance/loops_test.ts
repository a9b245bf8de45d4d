/**
 * Loops: requests that would come back are refused before they go round, or at the first return.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { folder } from "../support/folder.ts";
import { addressRecords, NameServer } from "../support/name_server.ts";
import { Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import { connect } from "../support/raw_client.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import type { Row } from "../support/toolchain.ts";

/** What leads back to a listener on every address of this machine. */
const SPELLINGS = [
  "127.0.0.1",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "127.1",
  "0x7f.1",
  "2130706433",
  "0",
  "0.0.0.0",
  "127.8.8.8",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::ffff:0.0.0.0]",
  "self.test",
];

/** Those that SOCKS has as addresses, in octets. */
const OCTETS: Readonly<Record<string, readonly number[]>> = {
  "127.0.0.1": [1, 127, 0, 0, 1],
  "0.0.0.0": [1, 0, 0, 0, 0],
  "[::1]": [4, ...Array(15).fill(0), 1],
  "[::]": [4, ...Array(16).fill(0)],
  "[::ffff:127.0.0.1]": [4, ...Array(10).fill(0), 255, 255, 127, 0, 0, 1],
};

/** Sends a request and settles with all that comes back; what comes for ever has no end, and fails. */
async function exchange(proxy: ProxyProcess, bytes: string | Uint8Array): Promise<string> {
  using client = await proxy.connect();
  await client.send(bytes);
  client.end();
  await client.ending();
  return client.received.toString("latin1");
}

/** Whether SOCKS4 says anything but yes. */
function refusedBySocks4(answer: string): boolean {
  return answer[0] === "\0" && answer.length === 8 && answer[1] !== "\x5A";
}

/** Whether SOCKS5 says anything but yes, behind its choice of no password. */
function refusedBySocks5(answer: string): boolean {
  return answer.startsWith("\x05\0\x05") && answer.length > 3 && answer[3] !== "\0";
}

/** Every protocol's way to ask for an authority, and whether the answer refuses it. */
function* attempts(
  host: string,
  port: number,
): Generator<[way: string, bytes: string | Uint8Array, refused: (answer: string) => boolean]> {
  const authority = `${host}:${port}`;
  const failure =
    /^HTTP\/1\.1 (?:403|50[28]) [^]*?\r\nProxy-Status: [^\r]*(?:proxy_loop|ip_prohibited|dns_error|refused)/;
  const denied = (answer: string) => failure.test(answer);
  yield [
    "absolute-form",
    `GET http://${authority}/metrics HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`,
    denied,
  ];
  yield ["CONNECT", `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`, denied];
  const octets = OCTETS[host];
  if (octets) {
    const end = [port >> 8, port & 0xFF];
    yield [
      "SOCKS5 address",
      Uint8Array.from([...SOCKS5_GREETING, 5, 1, 0, ...octets, ...end]),
      refusedBySocks5,
    ];
  }
  if (host.startsWith("[")) return;
  const name = new TextEncoder().encode(host);
  const asName = [3, name.length, ...name, port >> 8, port & 0xFF];
  yield ["SOCKS5 name", Uint8Array.from([...SOCKS5_GREETING, 5, 1, 0, ...asName]), refusedBySocks5];
  yield ["SOCKS4", socks4Request(host, port), refusedBySocks4];
}

testRows(
  `the proxy's own address is refused in ${SPELLINGS.length} spellings on every protocol`,
  async (row) => {
    await using server = await NameServer.start(({ name, type }) => {
      const addresses = { A: ["127.0.0.1"], AAAA: ["::ffff:127.0.0.1"], other: [] }[type];
      return name === "self.test" || name.startsWith("localhost")
        ? { records: addressRecords(addresses) }
        : { rcode: "NXDOMAIN" };
    });
    for (const dns of [["--dns", server.authority], []]) {
      await using proxy = await ProxyProcess.start(row, [
        ...["--listen", "[::]:0", "--listen", "0.0.0.0:0", "--allow-open", "--allow-private", ...dns],
        ...["--admin", "127.0.0.1:0"],
      ]);
      const got: string[] = [];
      let asked = 0;
      for (const address of proxy.addresses) {
        if (!("port" in address)) continue;
        for (const host of SPELLINGS) {
          for (const [way, bytes, refused] of attempts(host, address.port)) {
            asked++;
            const answer = await exchange(proxy, bytes);
            if (!refused(answer)) got.push(`${way} ${host} ${JSON.stringify(answer.slice(0, 150))}`);
          }
        }
      }
      assertEquals(got, []);
      assertEquals(await proxy.stop(), 0);
      // Each of them is one request of one client: nothing that was connected for it came back to a listener.
      assertEquals(proxy.output.all.length, asked);
    }
  },
);

testRows("a request that has been here is refused by its Via, whatever else is in it", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--name", "home"]);
  await using origin = await Origin.listen();
  for (
    const via of [
      "1.1 home",
      "1.0 a, 1.1 home (sluice)",
      "HTTP/1.1 home:80, 1.1 home",
      "1.1 b\r\nVia: 1.1 home",
    ]
  ) {
    for (const start of [`GET http://${origin.authority}/`, `CONNECT ${origin.authority}`]) {
      const answer = await exchange(
        proxy,
        `${start} HTTP/1.1\r\nHost: ${origin.authority}\r\nVia: ${via}\r\n\r\n`,
      );
      assertMatch(answer, /^HTTP\/1\.1 50[28] [^]*error=proxy_loop_detected\r\n/);
    }
  }
  assertEquals(await origin.isUntouched(), true);
});

const FEW = ["--max-connections", "40"];

/** Two proxies, each of which has the other for its upstream. */
async function facing(
  row: Row,
  { scheme, path, flags }: { scheme: string; path: string; flags: readonly string[] },
): Promise<[ProxyProcess, ProxyProcess]> {
  const rules = join(path, `rules-${scheme}`);
  await writeFile(rules, "# none yet\n");
  // The line protocol is spoken where a listener is for it alone; clients come to the other listener.
  const start = async (more: readonly string[]) => {
    const own = ["--listen", "line://127.0.0.1:0", "--drain-timeout", "0", ...flags];
    const proxy = await ProxyProcess.start(row, [...own, ...more]);
    const { port } = proxy.addresses[scheme === "line" ? 1 : 0] as TcpAddress;
    return { proxy, at: `${scheme}://127.0.0.1:${port}` };
  };
  const { proxy: second, at } = await start(["--rules-file", rules]);
  const { proxy: first, at: back } = await start(["--proxy", at]);
  await writeFile(rules, `route * via ${back}\n`);
  second.kill("SIGHUP");
  await second.said(/Read the files/);
  return [first, second];
}

/** A request by each protocol for a place that nobody will ever reach. */
const ROUND: readonly (readonly [way: string, bytes: string | Uint8Array])[] = [
  ["http", request("GET", "http://nowhere.test/", "Connection: close")],
  ["connect", "CONNECT nowhere.test:80 HTTP/1.1\r\nHost: nowhere.test:80\r\n\r\n"],
  ["socks4", socks4Request("nowhere.test", 80)],
  ["socks5", Uint8Array.from([...SOCKS5_GREETING, ...socks5Request("nowhere.test", 80)])],
];

testRows("what two proxies send to each other by HTTP goes round once", async (row) => {
  using place = folder();
  const [first, second] = await facing(row, { scheme: "http", path: place.path, flags: FEW });
  await using _first = first;
  await using _second = second;
  for (const [way, bytes] of ROUND) {
    const answer = await exchange(first, bytes);
    if (way === "socks4") assert(refusedBySocks4(answer), answer);
    else if (way === "socks5") assert(refusedBySocks5(answer), answer);
    else assertMatch(answer, /^HTTP\/1\.1 50[28] /);
    // To the other one and back: the first sees it twice, and that is one hop more than it should have made.
    const lines = await Promise.all([first.output.next(), first.output.next(), second.output.next()]);
    const faults = lines.slice(0, 2).map((line) => JSON.parse(line).fault);
    assert(faults.includes("proxy_loop_detected"), `${way}: ${faults}`);
  }
  await Promise.all([first.stop(), second.stop()]);
  assertEquals([first.output.all.length, second.output.all.length], [2 * ROUND.length, ROUND.length]);
}, { needs: "files", permissions: ["-R", "-W"] });

testRows("an upstream that is the proxy itself is never connected to", async (row) => {
  using place = folder();
  const rules = join(place.path, "rules");
  await writeFile(rules, "");
  await using proxy = await ProxyProcess.start(row, ["--rules-file", rules]);
  let expected = 0;
  for (const [index, scheme] of ["http", "socks4a", "socks5h", "line"].entries()) {
    await writeFile(rules, `route * via ${scheme}://localhost:${proxy.port}\n`);
    proxy.kill("SIGHUP");
    await proxy.said(/Read the files/, index + 1);
    for (const [way, bytes] of ROUND) {
      const answer = await exchange(proxy, bytes);
      expected++;
      if (way === "http" || way === "connect") assertMatch(answer, /^HTTP\/1\.1 50[28] /, scheme);
      else assert(way === "socks4" ? refusedBySocks4(answer) : refusedBySocks5(answer), scheme);
    }
  }
  await proxy.stop();
  const records = proxy.output.all.map((line) => JSON.parse(line));
  assertEquals(records.map(({ fault }) => fault), Array(expected).fill("proxy_loop_detected"));
}, { needs: "files", permissions: ["-R", "-W"] });

testRows("a parent of another make that points back is found out at the first return", async (row) => {
  let back = 0;
  let port = 0;
  // Forwards every request to where its client came from, and adds itself to Via, as RFC 9110 section 7.6.3 has it.
  await using parent = await Origin.listen(async (connection) => {
    const head = await connection.readUntil("\r\n\r\n");
    back++;
    using proxy = await connect({ host: "127.0.0.1", port });
    const via = /\r\nVia: [^\r]*/i;
    await proxy.send(
      via.test(head)
        ? head.replace(via, "$&, 1.1 parent")
        : head.replace("\r\n\r\n", "\r\nVia: 1.1 parent\r\n\r\n"),
    );
    await connection.send(
      await proxy.message().then(({ startLine }) => `${startLine}\r\nContent-Length: 0\r\n\r\n`),
    );
  });
  await using proxy = await ProxyProcess.start(row, ["--proxy", `http://${parent.authority}`]);
  port = proxy.port;
  for (const [, bytes] of ROUND) {
    back = 0;
    const answer = await exchange(proxy, bytes);
    assert(answer.length > 0);
    assertEquals(back, 1);
  }
});

for (const scheme of ["socks5h", "line"]) {
  testRows(`two proxies that send to each other by ${scheme} come to an end`, async (row) => {
    using place = folder();
    const flags = ["--connect-timeout", "6s"];
    const [first, second] = await facing(row, { scheme, path: place.path, flags });
    await using _first = first;
    await using _second = second;
    using client = await first.connect();
    await client.send("CONNECT nowhere.test:80 HTTP/1.1\r\nHost: nowhere.test:80\r\n\r\n");
    // A line is taken for open at once, and what tells of the failure is its end.
    client.end();
    await client.ending();
    if (scheme === "socks5h") assertMatch(client.received.toString("latin1"), /^HTTP\/1\.1 50[24] /);
    // Each of them has 64 connections to the other one, and the last request gets none: all end by themselves.
    for (let i = 0; i <= 64; i++) await first.output.next();
    for (let i = 0; i < 64; i++) await second.output.next();
    await first.said(/Perhaps it leads back to this proxy$/);
    await Promise.all([first.stop(), second.stop()]);
    assertEquals([first.output.all.length, second.output.all.length], [65, 64]);
  }, { needs: "files", permissions: ["-R", "-W"] });
}

testRows("an upstream that takes its time refuses none of 200 clients of one target", async (row) => {
  let asked = 0;
  let answer = () => {};
  const answering = new Promise<void>((resolve) => answer = resolve);
  await using upstream = await Origin.listen(async (connection) => {
    await connection.read(SOCKS5_GREETING.length);
    await connection.send("\x05\0");
    await connection.read(socks5Request("origin.test", 80).length);
    if (++asked === 64) answer();
    await answering;
    await connection.send("\x05\0\0\x01\0\0\0\0\0\0");
    await connection.ending();
  });
  await using proxy = await ProxyProcess.start(row, ["--proxy", `socks5h://${upstream.authority}`]);
  await Promise.all(Array.from({ length: 200 }, async () => {
    using client = await proxy.connect();
    await client.send("CONNECT origin.test:80 HTTP/1.1\r\nHost: origin.test:80\r\n\r\n");
    assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /);
  }));
  assertEquals(asked, 200);
});

testRows("by SOCKS, where nothing tells of a loop, the limit of connections ends it", async (row) => {
  using place = folder();
  const [first, second] = await facing(row, { scheme: "socks5h", path: place.path, flags: FEW });
  await using _first = first;
  await using _second = second;
  using client = await first.connect();
  await client.send(SOCKS5_GREETING);
  await client.send(socks5Request("nowhere.test", 80));
  await client.read(2);
  assert(await socks5Reply(client) !== 0);
  assert(first.alive && second.alive);
  await Promise.all([first.stop(), second.stop()]);
  assert(first.output.all.length <= 80, String(first.output.all.length));
}, { needs: "files", permissions: ["-R", "-W"] });
