/**
 * TLS to the proxy: what browsers call an HTTPS proxy, and every other protocol inside TLS.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Certificate, run, WebServer } from "./real_clients.ts";
import { Suite, type TestOptions, testRows } from "./suite.ts";
import { certificates, type IssuedCertificate } from "../contract/certificates.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { PATIENCE } from "../support/condition.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";
import { connectTls, tlsSocket } from "../support/tls_client.ts";

const PERMISSIONS = ["-R", "-W"];
const FOLDER = mkdtempSync(join(tmpdir(), "sluice-"));
const CERTIFICATE = new Certificate(FOLDER);
const HEADER_TIMEOUT = 1_000;

let web: WebServer;

Deno.test.beforeAll(async () => {
  const pages = new Map([["/hello", "hello"]]);
  web = await WebServer.start(CERTIFICATE, { pages, root: FOLDER });
  pages.set("/page.html", `<p id="p"></p><script src="https://127.0.0.1:${web.tlsPort}/script.js"></script>`);
  pages.set("/script.js", 'document.getElementById("p").textContent = `computed ${6 * 7}`;');
});

Deno.test.afterAll(async () => {
  await web[Symbol.asyncDispose]();
  rmSync(FOLDER, { recursive: true });
});

/** A listener over TLS on a free port. */
function listener(
  certs: readonly { certFile: string; keyFile: string }[],
  parameters: Record<string, string> = {},
): string[] {
  const pairs = [
    ...certs.flatMap(({ certFile, keyFile }) => [["cert", certFile], ["key", keyFile]]),
    ...Object.entries(parameters),
  ];
  return ["--listen", `auto+tls://127.0.0.1:0?${pairs.map((pair) => pair.join("=")).join("&")}`];
}

/** Behind the plain one that each test's proxy has. */
function tlsAddress({ addresses }: ProxyProcess): TcpAddress {
  return addresses[1] as TcpAddress;
}

/** What an HTTP proxy inside TLS makes of a page. */
async function isServed(client: RawConnection, origin: Origin): Promise<void> {
  await client.send(request("GET", `http://${origin.authority}/`));
  assertEquals((await client.message()).text, "ok");
}

const suite = new Suite({
  flags: [
    ...listener([{ certFile: CERTIFICATE.file, keyFile: CERTIFICATE.keyFile }]),
    ...["--header-timeout", `${HEADER_TIMEOUT}ms`],
  ],
  permissions: PERMISSIONS,
});

function tlsTest(
  name: string,
  body: (proxy: ProxyProcess) => Promise<void>,
  options: TestOptions = {},
): void {
  suite.test(`TLS: ${name}`, body, { permissions: PERMISSIONS, ...options });
}

tlsTest("curl gets pages with and without TLS through an HTTPS proxy", async (proxy) => {
  for (const url of [`http://127.0.0.1:${web.port}/hello`, `https://localhost:${web.tlsPort}/hello`]) {
    const { exit, output, errors } = await run([
      ...["curl", "--silent", "--show-error", "--fail", "--max-time", "20", "--cacert", CERTIFICATE.file],
      ...["--proxy", `https://127.0.0.1:${tlsAddress(proxy).port}`, "--proxy-cacert", CERTIFICATE.file, url],
    ]);
    assertEquals([exit, String(output)], [0, "hello"], errors);
  }
  assertEquals((await proxy.record(`127.0.0.1:${web.port}/hello`)).method, "GET");
  assertEquals((await proxy.record(`localhost:${web.tlsPort}`)).method, "CONNECT");
}, { programs: ["curl", "openssl"] });

tlsTest("Chromium shows a page with a script over TLS through an HTTPS proxy", async (proxy) => {
  const { output, errors } = await run([
    ...["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-sync", "--disable-background-networking", "--disable-component-update"],
    "--ignore-certificate-errors",
    `--user-data-dir=${join(FOLDER, String(proxy.port))}`,
    `--proxy-server=https://127.0.0.1:${tlsAddress(proxy).port}`,
    // Loopback goes through the proxy; what it would ask its maker all the same goes nowhere.
    "--proxy-bypass-list=<-loopback>;*.com",
    "--host-resolver-rules=MAP *.com ~NOTFOUND",
    "--dump-dom",
    `http://127.0.0.1:${web.port}/page.html`,
  ]);
  assert(String(output).includes('<p id="p">computed 42</p>'), errors);
  assertEquals((await proxy.record(`127.0.0.1:${web.port}/page.html`)).method, "GET");
}, { programs: ["chromium", "openssl"] });

tlsTest("every protocol is found out inside TLS as it is outside", async (proxy) => {
  await using origin = await httpOrigin();
  const address = tlsAddress(proxy);
  {
    using client = await connectTls(address);
    await isServed(client, origin);
    await isServed(client, origin);
  }
  {
    using client = await connectTls(address);
    await client.send(socks4Request("127.0.0.1", origin.port));
    assertEquals((await client.read(8))[1], 0x5A);
    await isServed(client, origin);
  }
  using client = await connectTls(address);
  await client.sendSlowly(SOCKS5_GREETING);
  assertEquals([...await client.read(2)], [5, 0]);
  await client.sendSlowly(socks5Request("localhost", origin.port));
  assertEquals(await socks5Reply(client), 0);
  await isServed(client, origin);
});

tlsTest("what is no TLS gets no answer, and leaves one record", async (proxy) => {
  for (
    const bytes of ["GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Buffer.from([5, 1, 0, ...Array(40).fill(0)])]
  ) {
    using client = await proxy.connect(tlsAddress(proxy));
    await client.send(bytes);
    await client.ending();
    assertEquals(client.received.includes("HTTP"), false);
    const line = await proxy.output.find((line) => line.includes(`:${client.localPort}"`));
    const { fault, ending, protocol } = JSON.parse(line);
    assertEquals([fault, ending, protocol], ["tls_protocol_error", "refused", undefined]);
  }
});

tlsTest("a hello that is not whole in time, and silence, end with the header timeout", async (proxy) => {
  // The beginning of a record of 512 bytes, and of a hello in it.
  for (const bytes of ["", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]) {
    using client = await proxy.connect(tlsAddress(proxy));
    const begun = performance.now();
    await client.send(bytes);
    await client.ending();
    const took = performance.now() - begun;
    assert(took > HEADER_TIMEOUT * 0.8 && took < PATIENCE, `It took ${took} ms`);
  }
});

/** What `openssl s_client` says when it is told to send something, and to wait for the end. */
async function sClient({ port }: TcpAddress, input: string, ...args: string[]): Promise<string> {
  const command = ["s_client", "-connect", `127.0.0.1:${port}`, "-ign_eof", ...args];
  const child = spawn("openssl", command, { timeout: PATIENCE });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said += chunk);
  child.stdin.on("error", () => {});
  child.stdin.write(input);
  await new Promise((resolve) => child.once("close", resolve));
  return said;
}

tlsTest(
  "the end of an answer is told by close_notify, and where it was cut short there is none",
  async (proxy) => {
    const { port } = tlsAddress(proxy);
    await using origin = await Origin.listen(async (connection) => {
      await connection.message();
      // Without a length: the close is all that tells the end.
      await connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe beginning");
      connection.end();
    });
    const head = request("GET", `http://${origin.authority}/`, "Connection: close");
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const said = await sClient({ host: "127.0.0.1", port }, head, "-msg", version);
      assertMatch(said, /the beginning/);
      assertMatch(said, /<<< TLS 1\.[23], Alert \[length 0002\], warning close_notify/);
      assertEquals(/unexpected eof/i.test(said), false, said);
    }
    await using cutter = await Origin.listen(async (connection) => {
      await connection.message();
      await connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe beginning");
      // The reset must not overtake the bytes.
      await new Promise((resolve) => setTimeout(resolve, 300));
      connection.reset();
    });
    const said = await sClient(
      { host: "127.0.0.1", port },
      request("GET", `http://${cutter.authority}/`, "Connection: close"),
      "-msg",
    );
    assertMatch(said, /the beginning/);
    assertEquals(/<<< .*close_notify/.test(said), false, said);
  },
  { programs: ["openssl"] },
);

tlsTest("sslscan finds TLS 1.2 and 1.3, nothing older and nothing weak", async (proxy) => {
  const { output } = await run(["sslscan", "--no-colour", `127.0.0.1:${tlsAddress(proxy).port}`]);
  const text = String(output);
  const versions = Object.fromEntries(
    [...text.matchAll(/^(SSLv\d|TLSv1\.\d) +(enabled|disabled)/gm)].map((
      [, version, state],
    ) => [version, state]),
  );
  assertEquals(versions, {
    "SSLv2": "disabled",
    "SSLv3": "disabled",
    "TLSv1.0": "disabled",
    "TLSv1.1": "disabled",
    "TLSv1.2": "enabled",
    "TLSv1.3": "enabled",
  });
  assertEquals(
    / (?:RC4|3DES|DES|NULL|EXPORT|anon)/i.test(text.slice(text.indexOf("Supported Server Cipher"))),
    false,
    text,
  );
  assertEquals(/^.*vulnerable to heartbleed/m.exec(text)?.[0].includes("not vulnerable"), true);
}, { programs: ["sslscan", "openssl"] });

testRows("TLS: min-tls=1.3 refuses a client of 1.2, and leaves a record of it", async (row) => {
  const { one } = certificates();
  await using proxy = await ProxyProcess.start(row, listener([one], { "min-tls": "1.3" }));
  await using origin = await httpOrigin();
  const address = tlsAddress(proxy);
  using client = await connectTls(address, { minVersion: "TLSv1.3" });
  await isServed(client, origin);
  const old = await connectTls(address, { maxVersion: "TLSv1.2" }).then(() => "served", () => "refused");
  assertEquals(old, "refused");
  const line = await proxy.output.find((line) => line.includes('"refused"'));
  assertMatch(JSON.parse(line).fault, /^tls_(?:protocol_error|alert_received)$/);
  const said = await sClient(address, "", "-tls1_2");
  assertMatch(said, /alert protocol version/i);
}, { permissions: PERMISSIONS, programs: ["openssl"] });

/** The name on the certificate that a client of a name is shown. */
async function shownTo(address: TcpAddress, servername: string): Promise<string> {
  const socket = await tlsSocket(address, { servername });
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return String(CN);
}

testRows("TLS: the name that a client asks for picks the certificate", async (row) => {
  const { one, two } = certificates();
  await using proxy = await ProxyProcess.start(row, listener([one, two]));
  const address = tlsAddress(proxy);
  const shown = [];
  for (const name of ["one.test", "two.test", "a.two.test", "other.test", ""]) {
    shown.push(await shownTo(address, name));
  }
  assertEquals(shown, ["one", "two", "two", "one", "one"]);
}, { permissions: PERMISSIONS, programs: ["openssl"] });

testRows("TLS: SIGHUP takes a renewed certificate, and connections that stand go on", async (row) => {
  const { one, two } = certificates();
  const files = { certFile: join(FOLDER, `${row.name}.pem`), keyFile: join(FOLDER, `${row.name}.key`) };
  function install({ certFile, keyFile }: IssuedCertificate): void {
    copyFileSync(certFile, files.certFile);
    copyFileSync(keyFile, files.keyFile);
  }
  install(one);
  await using proxy = await ProxyProcess.start(row, listener([files]));
  await using origin = await httpOrigin();
  const address = tlsAddress(proxy);
  using standing = await connectTls(address);
  await isServed(standing, origin);
  assertEquals(await shownTo(address, ""), "one");
  install(two);
  proxy.kill("SIGHUP");
  await proxy.said(/Read the files/);
  assertEquals(await shownTo(address, ""), "two");
  await isServed(standing, origin);
  rmSync(files.keyFile);
  proxy.kill("SIGHUP");
  await proxy.said(/Everything stays as it was/);
  assertEquals(await shownTo(address, ""), "two");
  await isServed(standing, origin);
}, { permissions: PERMISSIONS, programs: ["openssl"] });

testRows("TLS: client-ca= lets in who has a certificate that it has signed, and nobody else", async (row) => {
  const { ca, one, client: good, strangerClient } = certificates();
  const caFile = join(FOLDER, `${row.name}-ca.pem`);
  await Deno.writeTextFile(caFile, ca);
  await using proxy = await ProxyProcess.start(row, listener([one], { "client-ca": caFile }));
  await using origin = await httpOrigin();
  for (const [index, certificate] of [undefined, strangerClient].entries()) {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      // A client of TLS 1.3 is done before the server has seen its certificate.
      const served = await (async () => {
        using client = await connectTls(tlsAddress(proxy), { ...certificate, maxVersion });
        await client.send(request("GET", `http://${origin.authority}/`));
        await client.ending();
        return client.received.toString("latin1");
      })().catch(() => "");
      assertEquals(served, "", `${index} ${maxVersion}`);
      const { fault, ending } = JSON.parse(await proxy.output.next());
      assertEquals([fault, ending], ["tls_certificate_error", "refused"]);
    }
  }
  assertEquals(await origin.isUntouched(), true);
  using client = await connectTls(tlsAddress(proxy), { cert: good.cert, key: good.key });
  await isServed(client, origin);
}, { permissions: PERMISSIONS, programs: ["openssl"] });
