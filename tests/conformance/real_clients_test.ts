/**
 * Programs that people put behind a proxy, between it and servers of this machine.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificate, chromium, clientTest, outputOf, run, WebServer } from "./real_clients.ts";
import { Suite, testRows } from "./suite.ts";
import { Origin } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";

const suite = new Suite();

const FOLDER = mkdtempSync(join(tmpdir(), "sluice-"));
const BIG = randomBytes(100 * 1024 * 1024);
const BIG_FILE = join(FOLDER, "big");
const BIG_DIGEST = sha256(BIG);

let web: WebServer;
let certificate: Certificate;

Deno.test.beforeAll(async () => {
  certificate = new Certificate(FOLDER);
  const pages = new Map([["/hello", "hello"]]);
  web = await WebServer.start(certificate, { pages, root: FOLDER });
  pages.set("/page.html", `<p id="p"></p><script src="https://127.0.0.1:${web.tlsPort}/script.js"></script>`);
  pages.set("/script.js", 'document.getElementById("p").textContent = `computed ${6 * 7}`;');
  writeFileSync(BIG_FILE, BIG);
});

Deno.test.afterAll(async () => {
  await web[Symbol.asyncDispose]();
  rmSync(FOLDER, { recursive: true });
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function curl(...args: string[]): string[] {
  return [
    "curl",
    "--silent",
    "--show-error",
    "--fail",
    "--max-time",
    "50",
    "--cacert",
    certificate.file,
    ...args,
  ];
}

/** Ways to tell curl of a proxy, and the host to ask for: a name where the proxy is to resolve it. */
function curlWays(port: number): Record<string, { host: string; args: string[] }> {
  const authority = `127.0.0.1:${port}`;
  return {
    "http": { host: "localhost", args: ["--proxy", `http://${authority}`] },
    "HTTP/1.0": { host: "localhost", args: ["--proxy1.0", authority] },
    "CONNECT": { host: "localhost", args: ["--proxytunnel", "--proxy", `http://${authority}`] },
    "SOCKS4": { host: "127.0.0.1", args: ["--socks4", authority] },
    "SOCKS4A": { host: "localhost", args: ["--socks4a", authority] },
    "SOCKS5": { host: "127.0.0.1", args: ["--socks5", authority] },
    "SOCKS5 with a name": { host: "localhost", args: ["--socks5-hostname", authority] },
  };
}

clientTest(suite, {
  name: "curl: GET and HEAD, with and without TLS, through every kind of proxy",
  needs: ["curl"],
}, async (proxy) => {
  for (const [way, { host, args }] of Object.entries(curlWays(proxy.port))) {
    const url = `http://${host}:${web.port}/hello`;
    const tlsUrl = `https://${host}:${web.tlsPort}/hello`;
    assertEquals(String(await outputOf(curl(...args, url, url, tlsUrl))), "hello".repeat(3), way);
    assertMatch(
      String(await outputOf(curl(...args, "--head", url))),
      /^HTTP\/1\.1 200 .*\r\ncontent-length: 5\r\n/is,
      way,
    );
  }
});

clientTest(
  suite,
  { name: "curl: 100 MiB by POST arrive as they were sent", needs: ["curl"] },
  async (proxy) => {
    const args = ["--proxy", `http://127.0.0.1:${proxy.port}`, "--data-binary", `@${BIG_FILE}`];
    const answer = await outputOf(curl(...args, `http://127.0.0.1:${web.port}/`));
    assertEquals(String(answer), `POST ${BIG.length} ${BIG_DIGEST}`);
  },
);

clientTest(suite, { name: "curl: a chunked PUT arrives in chunks", needs: ["curl"] }, async (proxy) => {
  const input = BIG.subarray(0, 5_000_000);
  for (const way of ["http", "SOCKS5"]) {
    const args = [...curlWays(proxy.port)[way].args, "--upload-file", "-"];
    const answer = await outputOf(curl(...args, `http://127.0.0.1:${web.port}/`), { input });
    assertEquals(String(answer), `PUT chunked ${sha256(input)}`);
  }
});

testRows("curl: a proxy on a Unix socket, by SOCKS and HTTP", async (row) => {
  const path = join(FOLDER, `${row.name}.sock`);
  await using proxy = await ProxyProcess.start(row, ["--listen", `unix:${path}`]);
  const url = `http://127.0.0.1:${web.port}/hello`;
  for (const scheme of ["socks5h", "socks4a"]) {
    assertEquals(
      String(await outputOf(curl("--proxy", `${scheme}://localhost${encodeURI(path)}`, url))),
      "hello",
    );
  }
  // For HTTP proxies curl has no such notation, but an origin on a Unix socket that is asked as a proxy is one.
  assertEquals(String(await outputOf(curl("--unix-socket", path, "--request-target", url, url))), "hello");
  assertEquals(await proxy.stop(), 0);
}, { needs: "unix sockets", permissions: ["-R", "-W"] });

clientTest(suite, { name: "wget: downloads, with and without TLS", needs: ["wget"] }, async (proxy) => {
  const address = `http://127.0.0.1:${proxy.port}`;
  const settings = ["use_proxy=yes", "no_proxy=", `http_proxy=${address}`, `https_proxy=${address}`];
  const command = ["wget", "-q", "-O", "-", "--tries=1", ...settings.flatMap((setting) => ["-e", setting])];
  const url = `http://127.0.0.1:${web.port}/big`;
  assertEquals(sha256(await outputOf([...command, url])), BIG_DIGEST);
  const tlsUrl = `https://localhost:${web.tlsPort}/hello`;
  assertEquals(String(await outputOf([...command, `--ca-certificate=${certificate.file}`, tlsUrl])), "hello");
  assertEquals((await proxy.record(`localhost:${web.tlsPort}`)).method, "CONNECT");
});

clientTest(suite, { name: "git: a clone has the commit of its source", needs: ["git"] }, async (proxy) => {
  const environment = { HOME: FOLDER, GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };
  const [source, copy] = ["source", "copy"].map((name) => join(FOLDER, `${name}-${proxy.port}`));
  const git = async (...args: string[]) => String(await outputOf(["git", ...args], { environment })).trim();
  await git("init", "--quiet", source);
  writeFileSync(join(source, "file"), BIG.subarray(0, 1_000_000));
  await git("-C", source, "add", "file");
  await git(
    "-C",
    source,
    "-c",
    "user.name=A",
    "-c",
    "user.email=a@example.com",
    "commit",
    "--quiet",
    "-m",
    "One",
  );
  await git("-C", source, "update-server-info");
  const url = `http://127.0.0.1:${web.port}/source-${proxy.port}/.git`;
  for (const scheme of ["http", "socks5h"]) {
    const target = `${copy}-${scheme}`;
    await git("-c", `http.proxy=${scheme}://127.0.0.1:${proxy.port}`, "clone", "--quiet", url, target);
    assertEquals(await git("-C", target, "rev-parse", "HEAD"), await git("-C", source, "rev-parse", "HEAD"));
  }
});

clientTest(suite, {
  name: "ssh: nc as its ProxyCommand reaches a server by CONNECT, SOCKS4 and SOCKS5",
  needs: ["ssh", "nc"],
}, async (proxy) => {
  await using origin = await Origin.listen();
  for (const protocol of ["connect", "4", "5"]) {
    const options = ["BatchMode=yes", `ProxyCommand=nc -X ${protocol} -x 127.0.0.1:${proxy.port} %h %p`];
    const ssh = run([
      "ssh",
      "-F",
      "none",
      ...options.flatMap((option) => ["-o", option]),
      "-p",
      `${origin.port}`,
      "a@127.0.0.1",
    ]);
    using server = await origin.accept();
    await server.send("SSH-2.0-test\r\n");
    assertMatch(await server.readUntil("\r\n"), /^SSH-2\.0-OpenSSH/);
    // A packet of impossible length, at which ssh gives up.
    await server.send("\xFF".repeat(64));
    assertEquals((await ssh).exit, 255);
  }
});

clientTest(suite, {
  name: "Chromium: a page with a script over TLS, through HTTP and SOCKS5",
  needs: ["chromium"],
}, async (proxy) => {
  for (const scheme of ["http", "socks5"]) {
    const dom = String(
      await outputOf(
        chromium(
          join(FOLDER, `${scheme}-${proxy.port}`),
          `${scheme}://127.0.0.1:${proxy.port}`,
          `http://127.0.0.1:${web.port}/page.html`,
        ),
      ),
    );
    assert(dom.includes('<p id="p">computed 42</p>'), dom);
  }
  const targets = proxy.output.all.map((line) => JSON.parse(line).target);
  assertEquals(
    targets.filter((target) => !/^(?:http:\/\/)?(?:127\.0\.0\.1|localhost):\d+(?:\/|$)/.test(target)),
    [],
  );
});
