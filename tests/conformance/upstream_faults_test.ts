/**
 * Upstreams that fail, or say that the target does: what the client is told on its protocol, and the operator in the
 * log. And a chain of other people's proxies, one of which dies after the other.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Certificate, chromium, outputOf, run, WebServer } from "./real_clients.ts";
import { testRows } from "./suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { NameServer } from "../support/name_server.ts";
import { BlackHole, ClosedPort, Origin } from "../support/origin.ts";
import { microsocks, squid } from "../support/peers.ts";
import { ProxyProcess } from "../support/proxy.ts";

/** What clients are told: the status and error of GET and of CONNECT, and the reply of SOCKS5. */
interface Told {
  readonly get: string;
  readonly connect: string;
  readonly socks5: number;
}

/** The status, and who says that it is which error. */
async function askHttp(proxy: ProxyProcess, bytes: string): Promise<string> {
  using client = await proxy.connect();
  await client.send(bytes);
  const answer = await client.message();
  const status = answer.field("proxy-status") ?? "";
  const isNext = /; details="next proxy"$/.test(status);
  // The page names the same party, and does not tell a client which proxy it is.
  assertEquals(/\b(?:next proxy|name server)\b/i.test(answer.text), isNext, answer.text);
  assert(!isNext || !/127\.0\.0\.1|\.test/.test(answer.text), answer.text);
  return `${answer.status} ${status}`.replace("; error=", " ").replace(/; details="(.*)"/, " of the $1");
}

async function askSocks5(proxy: ProxyProcess, host: string, port: number): Promise<number> {
  using client = await proxy.connect();
  await client.send(Uint8Array.of(...SOCKS5_GREETING, ...socks5Request(host, port)));
  await client.read(2);
  return await socks5Reply(client);
}

async function askSocks4(proxy: ProxyProcess, host: string, port: number): Promise<number> {
  using client = await proxy.connect();
  await client.send(socks4Request(host, port));
  return (await client.read(8))[1];
}

async function ask(proxy: ProxyProcess, host: string, port: number): Promise<Told> {
  const authority = `${host}:${port}`;
  const [get, connect, socks5, socks4] = await Promise.all([
    askHttp(proxy, request("GET", `http://${authority}/`)),
    askHttp(proxy, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`),
    askSocks5(proxy, host, port),
    askSocks4(proxy, host, port),
  ]);
  assertEquals(socks4, 0x5B);
  return { get, connect, socks5 };
}

/** What each scheme can tell of a target's fate. SOCKS4 has one word for all of them, SOCKS5 one for two. */
const FATES: Readonly<Record<string, Readonly<Record<string, Told>>>> = {
  "http": {
    "refused": {
      get: "502 next connection_refused",
      connect: "502 here connection_refused",
      socks5: 5,
    },
    "denied": { get: "403 next http_request_denied", connect: "403 here http_request_denied", socks5: 2 },
    "missing": { get: "502 next dns_error", connect: "502 here dns_error", socks5: 4 },
    "hole": { get: "504 next connection_timeout", connect: "504 here connection_timeout", socks5: 4 },
  },
  "socks5h": {
    "refused": same("502 here connection_refused", 5),
    "denied": same("403 here http_request_denied", 2),
    "missing": same("502 here destination_ip_unroutable", 4),
    "hole": same("502 here destination_ip_unroutable", 4),
  },
  "socks4a": Object.fromEntries(
    ["refused", "denied", "missing", "hole"].map((
      fate,
    ) => [fate, same("502 here destination_unavailable", 1)]),
  ),
};

function same(told: string, socks5: number): Told {
  return { get: told, connect: told, socks5 };
}

testRows("what an upstream says of a target, each client is told on its protocol", async (row) => {
  await using closed = await ClosedPort.take();
  using hole = await BlackHole.open();
  await using names = await NameServer.start(({ name, type }) => {
    if (name.includes("missing")) return { rcode: "NXDOMAIN" };
    return { records: type === "A" ? [{ type, data: "127.0.0.1" }] : [] };
  });
  await using next = await ProxyProcess.start(row, [
    ...["--dns", names.authority, "--name", "next", "--connect-timeout", "1s", "--deny", ".denied.test"],
  ]);
  const ports: Readonly<Record<string, number>> = {
    refused: closed.port,
    denied: 1,
    missing: 1,
    hole: hole.port,
  };
  const cases = Object.entries(FATES).flatMap(([scheme, fates]) =>
    Object.entries(fates).map(([fate, told]) => ({
      told,
      port: ports[fate],
      host: `${scheme}.${fate}.test`,
      upstream: `${scheme}://127.0.0.1:${next.port}`,
    }))
  );
  const routes = cases.flatMap(({ host, upstream }) => ["--route", `${host} via ${upstream}`]);
  await using nobody = await NameServer.start(() => undefined);
  await using proxy = await ProxyProcess.start(row, ["--name", "here", "--dns", nobody.authority, ...routes]);
  await Promise.all(cases.map(async ({ host, port, told, upstream }) => {
    assertEquals(await ask(proxy, host, port), told, host);
    const line = await proxy.output.find((line) => {
      const { target, method } = JSON.parse(line);
      return target === `${host}:${port}` && method === "CONNECT";
    });
    assertMatch(JSON.parse(line).reason, new RegExp(`^${upstream}: `));
  }));
  assertEquals(nobody.questions.all, []);
});

testRows("an upstream that fails is 502 or 504, and never said to be the target", async (row) => {
  await using closed = await ClosedPort.take();
  using hole = await BlackHole.open();
  await using mute = await Origin.listen(() => Promise.resolve());
  await using other = await Origin.listen((connection) => connection.send("SSH-2.0-OpenSSH_9.2\r\n"));
  const refused = same("502 here connection_refused of the next proxy", 1);
  const ended = same("502 here connection_terminated of the next proxy", 1);
  const cases: [upstream: string, told: Told][] = [
    [`http://${closed.authority}`, refused],
    [`socks5h://${closed.authority}`, refused],
    [`socks4a://${closed.authority}`, refused],
    [`http://${mute.authority}`, ended],
    [`socks5h://${mute.authority}`, ended],
    [`socks4a://${mute.authority}`, ended],
    [`http://${other.authority}`, same("502 here http_protocol_error of the next proxy", 1)],
    [`socks5h://${other.authority}`, same("500 here proxy_configuration_error of the next proxy", 1)],
    [`socks4a://${other.authority}`, same("500 here proxy_configuration_error of the next proxy", 1)],
    [`http://${hole.authority}`, same("504 here connection_timeout of the next proxy", 1)],
    [`http://upstream.missing.test:1`, same("502 here dns_error of the next proxy", 1)],
  ];
  await using names = await NameServer.start(() => ({ rcode: "NXDOMAIN" }));
  const routes = cases.flatMap(([upstream], i) => ["--route", `u${i}.test via ${upstream}`]);
  await using proxy = await ProxyProcess.start(row, [
    ...["--name", "here", "--dns", names.authority, "--connect-timeout", "1s", ...routes],
  ]);
  await Promise.all(cases.map(async ([upstream, told], i) => {
    assertEquals(await ask(proxy, `u${i}.test`, 443), told, upstream);
  }));
});

testRows(
  "an upstream that does not know us is 500, named in the log without the password",
  async (row) => {
    await using next = await ProxyProcess.start(row, ["--user", "ann:right"]);
    const authority = `127.0.0.1:${next.port}`;
    const upstreams = [
      `http://ann:s3cret-wrong@${authority}`,
      `socks5h://ann:s3cret-wrong@${authority}`,
      `http://${authority}`,
      `socks5h://${authority}`,
    ];
    const routes = upstreams.flatMap((upstream, i) => ["--route", `u${i}.test via ${upstream}`]);
    await using proxy = await ProxyProcess.start(row, ["--name", "here", "--log-level", "debug", ...routes]);
    for (const i of upstreams.keys()) {
      const told = await ask(proxy, `u${i}.test`, 443);
      assertEquals(told, same("500 here proxy_configuration_error of the next proxy", 1), upstreams[i]);
      for (const method of ["GET", "CONNECT"]) {
        const line = await proxy.output.find((line) => {
          const record = JSON.parse(line);
          return record.target.includes(`u${i}.test:443`) && record.method === method;
        });
        const { route, reason, fault } = JSON.parse(line);
        assertEquals(fault, "proxy_configuration_error");
        // A tunnel has not got there, so that it has no route.
        assertMatch(`${route} ${reason}`, new RegExp(`${upstreams[i].split(":")[0]}://${authority}`));
      }
    }
    const lines = [...proxy.output.all, ...proxy.diagnostics.all];
    assertEquals(lines.filter((line) => line.includes("s3cret")), []);
  },
);

const FOLDER = mkdtempSync(join(tmpdir(), "sluice-"));
const BODY = randomBytes(1_000_000);
const BODY_FILE = join(FOLDER, "body");

let web: WebServer;
let certificate: Certificate;

Deno.test.beforeAll(async () => {
  certificate = new Certificate(FOLDER);
  writeFileSync(BODY_FILE, BODY);
  const pages = new Map([["/page", "page"]]);
  web = await WebServer.start(certificate, { pages, root: FOLDER });
  pages.set("/page.html", `<p id="p"></p><script src="https://127.0.0.1:${web.tlsPort}/script.js"></script>`);
  pages.set("/script.js", 'document.getElementById("p").textContent = `computed ${6 * 7}`;');
});

Deno.test.afterAll(async () => {
  await web[Symbol.asyncDispose]();
  rmSync(FOLDER, { recursive: true });
});

/** What curl gets by the proxy for a GET and for an upload, over HTTP and over HTTPS. */
async function curl(proxy: ProxyProcess): Promise<string[]> {
  const common = ["curl", "--silent", "--show-error", "--max-time", "30", "--cacert", certificate.file];
  const through = ["--proxy", `http://127.0.0.1:${proxy.port}`];
  const requests = [`http://localhost:${web.port}`, `https://localhost:${web.tlsPort}`].flatMap((uri) => [
    [`${uri}/page`],
    ["--data-binary", `@${BODY_FILE}`, `${uri}/upload`],
  ]);
  return await Promise.all(requests.map(async (args) => {
    const { output, errors } = await run([...common, ...through, ...args]);
    return output.toString() + errors;
  }));
}

const UPLOADED = `POST ${BODY.length} ${createHash("sha256").update(BODY).digest("hex")}`;
const ALL_WELL = ["page", UPLOADED, "page", UPLOADED];
const programs = ["curl", "openssl", "squid", "microsocks"];

testRows("a chain of four protocols carries curl and Chromium; each hop that dies is told", async (row) => {
  await using one = await squid();
  await using two = await microsocks({ user: "ann", password: "s3cret" });
  const tls = `cert=${certificate.file}&key=${certificate.keyFile}`;
  await using three = await ProxyProcess.start(row, [
    ...["--user", "bob:s3cret", "--listen", `http+tls://127.0.0.1:0?${tls}`],
  ]);
  await using four = await ProxyProcess.start(row, ["--listen", "line://127.0.0.1:0"]);
  const [secure, line] = [three, four].map(({ addresses }) =>
    `127.0.0.1:${(addresses[1] as TcpAddress).port}`
  );
  const hops = [
    `http://${one.authority}`,
    `socks5h://ann:s3cret@${two.authority}`,
    `https://bob:s3cret@${secure}?ca=${certificate.file}`,
    `line://${line}`,
  ];
  await using proxy = await ProxyProcess.start(row, ["--name", "here", "--proxy", hops.join(",")]);
  assertEquals(await curl(proxy), ALL_WELL);
  const shown = hops.map((hop) => hop.replace(/[^/]*@|\?.*/g, ""));
  assertEquals((await proxy.record("/upload")).route, shown.join(","));
  const profile = join(FOLDER, `chromium-${proxy.port}`);
  const page = `http://127.0.0.1:${web.port}/page.html`;
  const dom = String(await outputOf(chromium(profile, `http://127.0.0.1:${proxy.port}`, page)));
  assertStringIncludes(dom, '<p id="p">computed 42</p>');
  assertEquals((await proxy.record(`127.0.0.1:${web.tlsPort}`)).route, shown.join(","));

  // From the last to the first: the hop before the dead one tells.
  const deaths: [die: () => Promise<unknown>, teller: string, told: string][] = [
    [() => four.stop(), shown[2], "502 here connection_refused of the next proxy"],
    [() => three.stop(), shown[1], "502 here connection_refused of the next proxy"],
    [() => two.kill(), shown[0], "502 here destination_unavailable of the next proxy"],
    [() => one.kill(), shown[0], "502 here connection_refused of the next proxy"],
  ];
  for (const [i, [die, teller, told]] of deaths.entries()) {
    await die();
    const host = `after${i}.test`;
    assertEquals(await ask(proxy, host, 443), same(told, 1), `${i + 1} dead`);
    assertMatch(String((await proxy.record(`${host}:443`)).reason), new RegExp(`^${teller}: `));
  }
  const lines = [...proxy.output.all, ...proxy.diagnostics.all];
  assertEquals(lines.filter((line) => line.includes("s3cret")), []);
}, { programs: [...programs, "chromium"], permissions: ["-R", "-W"] });

testRows("Squid behind MicroSocks is asked in absolute-form, as the last hop", async (row) => {
  await using one = await microsocks();
  await using two = await squid();
  const chain = `socks5://${one.authority},http://${two.authority}`;
  await using proxy = await ProxyProcess.start(row, ["--proxy", chain]);
  assertEquals(await curl(proxy), ALL_WELL);
}, { programs });
