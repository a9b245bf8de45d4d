/**
 * The proxy's own pages on the wire: who sees them, and that nobody gets to them through the proxy.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite, testRows } from "./suite.ts";
import type { Address } from "../../src/runtime/contract.ts";
import type { HttpMessage } from "../support/http_message.ts";
import { addressRecords, NameServer } from "../support/name_server.ts";
import { httpOrigin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

const suite = new Suite();

async function page(
  proxy: ProxyProcess,
  path: string,
  host: string,
  address?: Address,
): Promise<HttpMessage> {
  using client = await proxy.connect(address);
  await client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  return await client.message();
}

/** What a browser does with a PAC file: it runs its one function. */
function findProxy(script: string, url: string): unknown {
  const { hostname } = new URL(url);
  // Firefox tells an IPv6 address without its brackets.
  return runInNewContext(`${script}\nFindProxyForURL(url, host)`, {
    url,
    host: hostname.replace(/[[\]]/g, ""),
  });
}

suite.test("pages: status, health and metrics are shown to this machine, under an address or localhost", async (proxy) => {
  for (
    const host of [
      `127.0.0.1:${proxy.port}`,
      `LOCALHOST:${proxy.port}`,
      `[::1]:${proxy.port}`,
      "",
    ]
  ) {
    const status = await page(proxy, "/", host);
    assertEquals([status.status, status.field("content-type")], [200, "text/html; charset=utf-8"], host);
    assertMatch(status.text, /<h1 id="title">sluice is running<\/h1>/);
    assert(!/ src=|https?:/i.test(status.text), "The page loads something");
    const [, script] = /<script>(.*)<\/script>/s.exec(status.text)!;
    const digest = createHash("sha256").update(script, "latin1").digest("base64");
    assertEquals(
      status.field("content-security-policy"),
      `default-src 'none'; script-src 'sha256-${digest}'; connect-src 'self'; style-src 'unsafe-inline'; ` +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    assertEquals(status.field("cross-origin-resource-policy"), "same-origin");
    assertEquals(status.field("x-content-type-options"), "nosniff");
  }
  const health = await page(proxy, "/healthz", `localhost:${proxy.port}`);
  assertEquals([health.status, health.text], [200, "ok\n"]);
  const metrics = await page(proxy, "/metrics?x=1", `localhost:${proxy.port}`);
  assertEquals([metrics.status, metrics.field("content-type")], [200, "text/plain; charset=utf-8"]);
  for (const line of metrics.text.trimEnd().split("\n")) {
    assertMatch(
      line,
      /^(?:# (?:HELP \w+ .+|TYPE \w+ (?:gauge|counter|histogram))|sluice_\w+(?:\{\w+="[\w/.]+"(?:,le="[\w.+]+")?\})? [0-9.]+)$/,
    );
  }
  assertEquals((await page(proxy, "/etc/passwd", `localhost:${proxy.port}`)).status, 404);
});

testRows(
  "pages: they are no requests in the metrics, and lines in the access log only with --log-pages",
  async (row) => {
    await using origin = await httpOrigin();
    for (const flags of [[], ["--log-pages"]]) {
      await using proxy = await ProxyProcess.start(row, ["--admin", "127.0.0.1:0", ...flags]);
      const [, [, port]] = await proxy.said(/^listening on 127\.0\.0\.1:(\d+)$/, 2);
      const admin = { host: "127.0.0.1", port: Number(port) };
      const shown: string[] = [];
      for (const path of ["/", "/metrics", "/healthz", "/proxy.pac", "/missing"]) {
        for (const address of [undefined, admin]) {
          await page(proxy, path, address ? "" : `localhost:${proxy.port}`, address);
          shown.push(path);
        }
      }
      // A client that says nothing.
      using probe = await proxy.connect();
      probe.end();
      await probe.readToEnd();
      using client = await proxy.connect();
      await client.send(request("GET", `http://${origin.authority}/`));
      await client.message();
      client.end();
      await client.ending();
      const { text } = await page(proxy, "/metrics", "", admin);
      assertMatch(text, /^sluice_requests_total\{protocol="http"\} 1$/m);
      assertMatch(text, /^sluice_endings_total\{ending="completed"\} 1$/m);
      // Five pages on the proxy's own port, the empty probe, the client.
      assertMatch(text, /^sluice_connections_total 7$/m);
      await proxy.record(`http://${origin.authority}/`);
      assertEquals(await proxy.stop(), 0);
      const targets = proxy.output.all.map((line) => JSON.parse(line).target);
      const wanted = [`http://${origin.authority}/`, ...flags.length > 0 ? [...shown, "/metrics"] : []];
      assertEquals(targets.toSorted(), wanted.toSorted());
    }
  },
);

suite.test("pages: HEAD has no body, the connection is kept, and a body ends it", async (proxy) => {
  using client = await proxy.connect();
  await client.send("HEAD /healthz HTTP/1.1\r\nHost:\r\n\r\n");
  const head = await client.message({ bodiless: true });
  assertEquals([head.status, head.field("content-length"), head.text], [200, "3", ""]);
  await client.send("GET /healthz HTTP/1.1\r\nHost:\r\n\r\n");
  assertEquals((await client.message()).text, "ok\n");
});

suite.test("pages: a name that is made to lead here sees nothing (DNS rebinding)", async (proxy) => {
  for (
    const host of [
      "evil.test",
      "localhost.evil.test",
      "127.0.0.1.evil.test",
      "evil.test:80",
      "2130706433",
      "127.1",
      "x@localhost",
      "localhost.",
    ]
  ) {
    const answer = await page(proxy, "/metrics", host);
    assertEquals([answer.status, /sluice_/.test(answer.text)], [400, false], host);
  }
});

suite.test("pages: the PAC file leads a browser here, and this machine's own servers past it", async (proxy) => {
  await using origin = await httpOrigin();
  const answer = await page(proxy, "/proxy.pac", `localhost:${proxy.port}`);
  assertEquals(answer.field("content-type"), "application/x-ns-proxy-autoconfig; charset=utf-8");
  for (
    const url of [
      "http://localhost/",
      "http://a.localhost/",
      "http://127.8.0.1:81/",
      "http://127.1/",
      "http://[::1]/",
    ]
  ) {
    assertEquals(findProxy(answer.text, url), "DIRECT", url);
  }
  const elsewhere = [
    "http://example.com/",
    "https://127x.test/",
    "http://localhost.test/",
    "http://xlocalhost/",
  ];
  for (const url of [...elsewhere, "http://127.tracker.example/", "http://127.0.0.1.tracker.example/"]) {
    const [, host, port] = /^PROXY (.+):(\d+)$/.exec(String(findProxy(answer.text, url)))!;
    using client = await proxy.connect({ host, port: Number(port) });
    await client.send(request("GET", `http://${origin.authority}/`));
    assertEquals((await client.message()).text, "ok");
  }
});

testRows(
  "pages: the PAC file names listeners by what they speak, and by the host that it was asked of",
  async (row) => {
    await using proxy = await ProxyProcess.start(row, [
      ...[
        "--listen",
        "socks5://127.0.0.1:0",
        "--listen",
        "0.0.0.0:0",
        "--listen",
        "socks4://127.0.0.1:0",
        "--allow-open",
      ],
    ]);
    const [auto, socks5, every, socks4] = proxy.addresses.map((address) =>
      (address as { port: number }).port
    );
    const { text } = await page(proxy, "/proxy.pac", `127.0.0.3:${every}`, {
      host: "127.0.0.3",
      port: every,
    });
    assertEquals(
      findProxy(text, "http://example.com/"),
      `PROXY 127.0.0.1:${auto}; SOCKS5 127.0.0.1:${socks5}; PROXY 127.0.0.3:${every}; SOCKS 127.0.0.1:${socks4}`,
    );
  },
);

/** Everything that leads to a listener through the proxy; none may. */
async function through(proxy: ProxyProcess, port: number): Promise<string[]> {
  const reached: string[] = [];
  for (const host of ["127.0.0.1", "localhost", "127.0.0.1.", "0", "self.test"]) {
    const authority = `${host}:${port}`;
    for (
      const start of [
        `GET http://${authority}/metrics`,
        `CONNECT ${authority}`,
        `OPTIONS http://${authority}`,
      ]
    ) {
      using client = await proxy.connect();
      await client.send(`${start} HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`);
      client.end();
      await client.ending();
      const answer = client.received.toString("latin1");
      if (!/^HTTP\/1\.1 [45]/.test(answer) || answer.includes("sluice_")) reached.push(`${start}: ${answer}`);
    }
    using old = await proxy.connect();
    await old.send(socks4Request(host, port));
    if ((await old.read(8))[1] === 0x5A) reached.push(`SOCKS4 ${authority}`);
    using client = await proxy.connect();
    await client.send(SOCKS5_GREETING);
    await client.read(2);
    await client.send(socks5Request(host, port));
    if (await socks5Reply(client) === 0) reached.push(`SOCKS5 ${authority}`);
  }
  return reached;
}

testRows(
  "pages: an admin listener shows nothing else, and is reached by nobody through the proxy",
  async (row) => {
    await using server = await NameServer.start(({ type }) => ({
      records: type === "A" ? addressRecords(["127.0.0.1"]) : [],
    }));
    await using proxy = await ProxyProcess.start(row, [
      ...["--user", "ann:secret", "--dns", server.authority],
      // The program says "listening on" of this one, too, behind all others.
      ...["--admin", "127.0.0.1:0"],
    ]);
    const [, , , port] = (await proxy.said(/^(listening) (on) (127\.0\.0\.1):(\d+)$/, 2))[1].slice(1).map(
      Number,
    );
    const admin = { host: "127.0.0.1", port };
    for (const host of ["localhost", "127.0.0.1"]) {
      assertMatch((await page(proxy, "/metrics", host, admin)).text, /^sluice_uptime_seconds /m);
    }
    assertEquals((await page(proxy, "/metrics", "metrics.example.com", admin)).status, 400);
    await using origin = await httpOrigin();
    for (const start of [`GET http://${origin.authority}/`, `CONNECT ${origin.authority}`, "OPTIONS *"]) {
      using client = await proxy.connect(admin);
      await client.send(`${start} HTTP/1.1\r\nHost: ${origin.authority}\r\n\r\n`);
      assertEquals((await client.message()).status, 400, start);
    }
    for (const bytes of [SOCKS5_GREETING, socks4Request("127.0.0.1", origin.port)]) {
      using client = await proxy.connect(admin);
      await client.send(bytes);
      await client.ending();
      assertEquals(client.received.length, 0);
    }
    await using open = await ProxyProcess.start(row, ["--dns", server.authority, "--admin", "127.0.0.1:0"]);
    const [, , , other] = (await open.said(/^(listening) (on) (127\.0\.0\.1):(\d+)$/, 2))[1].slice(1).map(
      Number,
    );
    assertEquals([await through(open, other), await through(open, open.port)], [[], []]);
  },
);

testRows("pages: where users log in, clients of this machine see the pages without", async (row) => {
  await using proxy = await ProxyProcess.start(row, ["--listen", "0.0.0.0:0", "--user", "ann:secret"]);
  for (const address of proxy.addresses) {
    assertEquals(
      (await page(proxy, "/healthz", "", { ...address, host: "127.0.0.1" })).text,
      "ok\n",
    );
    using client = await proxy.connect({ ...address, host: "127.0.0.1" });
    await client.send(request("GET", "http://127.0.0.1:1/"));
    assertEquals((await client.message()).status, 407);
  }
});

testRows("pages: a Unix socket is this machine, and a stranger sees nothing", async (row) => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const path = join(folder, "admin.sock");
    await using proxy = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
    assertEquals((await page(proxy, "/healthz", "localhost", { path })).text, "ok\n");
    assertEquals((await page(proxy, "/healthz", "evil.test", { path })).status, 400);
  } finally {
    await rm(folder, { recursive: true });
  }
}, { needs: "unix sockets", permissions: ["-R", "-W"] });
