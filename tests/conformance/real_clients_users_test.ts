/**
 * Programs that people put behind a proxy where they have to log in, or may not go everywhere.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Certificate, chromium, clientTest, outputOf, run, WebServer } from "./real_clients.ts";
import { Suite } from "./suite.ts";
import { addressRecords, NameServer } from "../support/name_server.ts";

const suite = new Suite({
  flags: ["--user", "ann:s3cr3t", "--max-attempts", "1000", "--contact", "it@example.test"],
});
const denying = new Suite({ flags: ["--deny", ".denied.test", "--contact", "it@example.test"] });

const FOLDER = mkdtempSync(join(tmpdir(), "sluice-"));
const PYTHON = "/usr/bin/python3";
const MODULES = "/usr/lib/python3/dist-packages";

let web: WebServer;
let certificate: Certificate;

Deno.test.beforeAll(async () => {
  certificate = new Certificate(FOLDER);
  web = await WebServer.start(certificate, { pages: new Map([["/hello", "hello"]]), root: FOLDER });
});

Deno.test.afterAll(async () => {
  await web[Symbol.asyncDispose]();
  rmSync(FOLDER, { recursive: true });
});

function urls(): [plain: string, tls: string] {
  return [`http://localhost:${web.port}/hello`, `https://localhost:${web.tlsPort}/hello`];
}

function curl(...args: string[]): string[] {
  return ["curl", "--silent", "--show-error", "--max-time", "50", "--cacert", certificate.file, ...args];
}

clientTest(
  suite,
  { name: "curl: users log in by HTTP, CONNECT and SOCKS5", needs: ["curl"] },
  async ({ port }) => {
    for (const scheme of ["http", "socks5h", "socks5"]) {
      for (
        const login of [["--proxy", `${scheme}://ann:s3cr3t@127.0.0.1:${port}`], [
          "--proxy",
          `${scheme}://127.0.0.1:${port}`,
          "--proxy-user",
          "ann:s3cr3t",
        ]]
      ) {
        assertEquals(String(await outputOf(curl(...login, ...urls()))), "hello".repeat(2), scheme);
      }
    }
  },
);

clientTest(suite, {
  name: "curl: one that may choose how to log in does so at the first 407, on the same connection",
  needs: ["curl"],
}, async (proxy) => {
  for (const url of urls()) {
    const format = "\n%{http_code} %{num_connects}";
    const login = [
      "--proxy-anyauth",
      "--proxy-user",
      "ann:s3cr3t",
      "--proxy",
      `http://127.0.0.1:${proxy.port}`,
    ];
    const before = proxy.output.all.length;
    assertEquals(String(await outputOf(curl(...login, "--write-out", format, url))), "hello\n200 1");
    const target = url.startsWith("https:") ? `localhost:${web.tlsPort}` : url;
    const served = await proxy.output.find((line) => {
      const record = JSON.parse(line);
      return proxy.output.all.indexOf(line) >= before && record.user === "ann" && record.target === target;
    });
    const { id } = JSON.parse(served);
    const refusals = proxy.output.all.slice(before).map((line) => JSON.parse(line)).filter((record) =>
      record.status === 407
    );
    assertEquals(refusals.map((record) => record.id), [id]);
  }
});

clientTest(
  suite,
  { name: "curl: a wrong password is told as such on every protocol", needs: ["curl"] },
  async ({ port }) => {
    const [plain, tls] = urls();
    const http = ["--proxy", `http://ann:wrong@127.0.0.1:${port}`];
    const answer = String(await outputOf(curl(...http, "--write-out", "\n%{http_code}", plain)));
    assertMatch(answer, /Contact: it@example\.test\n[^]*\n407$/);
    const tunnel = await run(curl(...http, tls));
    assertEquals(tunnel.exit, 56);
    assertMatch(tunnel.errors, /407/);
    for (
      const args of [["--socks5-hostname", `127.0.0.1:${port}`, "--proxy-user", "ann:wrong"], [
        "--socks5-hostname",
        `127.0.0.1:${port}`,
      ], ["--socks4a", `127.0.0.1:${port}`]]
    ) {
      assertEquals((await run(curl(...args, plain))).exit, 97, args[0]);
    }
  },
);

clientTest(
  denying,
  { name: "curl: whoever is refused can tell why and whom to ask", needs: ["curl"] },
  async ({ port }) => {
    const proxy = ["--proxy", `http://127.0.0.1:${port}`];
    assertMatch(
      String(await outputOf(curl(...proxy, "http://www.denied.test/"))),
      /^[A-Z].*\nContact: it@example\.test\nReference: [\w-]+\n$/,
    );
    const tunnel = await run(curl(...proxy, "https://www.denied.test/"));
    assertEquals(tunnel.exit, 56);
    assertMatch(tunnel.errors, /403/);
    const socks = await run(curl("--proxy", `socks5h://127.0.0.1:${port}`, "http://www.denied.test/"));
    assertEquals(socks.exit, 97);
    assertMatch(socks.errors, /\(2\)/);
  },
);

clientTest(
  suite,
  { name: "wget: logs in, and is told 407 where it does not", needs: ["wget"] },
  async ({ port }) => {
    const settings = [
      "use_proxy=yes",
      "no_proxy=",
      `http_proxy=http://127.0.0.1:${port}`,
      `https_proxy=http://127.0.0.1:${port}`,
    ];
    const wget = (
      ...args: string[]
    ) => [
      "wget",
      "-nv",
      "-O",
      "-",
      "--tries=1",
      `--ca-certificate=${certificate.file}`,
      ...settings.flatMap((setting) => ["-e", setting]),
      ...args,
    ];
    for (const url of urls()) {
      assertEquals(String(await outputOf(wget("--proxy-user=ann", "--proxy-password=s3cr3t", url))), "hello");
      for (const login of [[], ["--proxy-user=ann", "--proxy-password=wrong"]]) {
        const { exit, output, errors } = await run(wget(...login, url));
        assert(exit !== 0);
        assertEquals(String(output), "");
        assertMatch(errors, /Proxy Authentication Required/);
      }
    }
  },
);

/** A session of its own through each proxy, in one program: to import the module takes longer than all requests. */
const REQUESTS = `
import json, requests, sys
proxies, urls = map(json.loads, sys.argv[1:3])
def get(session, url):
    try:
        answer = session.get(url, timeout=50)
        return f"{answer.status_code} {answer.text.splitlines()[-1]}"
    except requests.exceptions.ConnectionError as error:
        return f"{type(error).__name__} {error}"
def session(proxy):
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"http": proxy, "https": proxy}
    session.verify = sys.argv[3]
    return [get(session, url) for url in urls]
print(json.dumps([session(proxy) for proxy in proxies]))
`;

clientTest(suite, {
  name: "python3-requests: logs in by HTTP, CONNECT and SOCKS5, and says why it cannot",
  needs: [PYTHON, `${MODULES}/requests`, `${MODULES}/socks.py`],
}, async ({ port }) => {
  const right = ["http", "socks5h", "socks5"].map((scheme) => `${scheme}://ann:s3cr3t@127.0.0.1:${port}`);
  const wrong = ["", "ann:wrong@"].map((login) => `http://${login}127.0.0.1:${port}`);
  const proxies = [...right, ...wrong, `socks5h://ann:wrong@127.0.0.1:${port}`];
  const asked = [proxies, [...urls(), ...urls()]].map((list) => JSON.stringify(list));
  const answers: string[][] = JSON.parse(
    String(await outputOf([PYTHON, "-c", REQUESTS, ...asked, certificate.file])),
  );
  const told = Object.fromEntries(proxies.map((proxy, index) => [proxy, answers[index]]));
  for (const proxy of right) assertEquals(told[proxy], Array(4).fill("200 hello"), proxy);
  for (const proxy of wrong) {
    for (const [index, answer] of told[proxy].entries()) {
      assertMatch(answer, index % 2 === 0 ? /^407 Contact: it@example\.test$/ : /^ProxyError .*407/, proxy);
    }
  }
  for (const answer of told[proxies.at(-1)!]) {
    assertMatch(answer, /^ConnectionError .*SOCKS5 authentication failed/);
  }
});

const PYSOCKS = `
import socket, socks, sys
kind, port, user, password, target, target_port = sys.argv[1:]
def connect(kind):
    s = socks.socksocket(socket.AF_INET, kind)
    s.settimeout(50)
    s.set_proxy(socks.SOCKS5, "127.0.0.1", int(port), rdns=True, username=user or None, password=password or None)
    return s
try:
    if kind == "tcp":
        s = connect(socket.SOCK_STREAM)
        s.connect((target, int(target_port)))
        s.sendall(b"GET /hello HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
        answer = b"".join(iter(lambda: s.recv(4096), b""))
        print(answer.rsplit(b"\\r\\n", 1)[1].decode())
    else:
        s = connect(socket.SOCK_DGRAM)
        name = b"".join(bytes([len(label)]) + label for label in [b"www", b"example", b"test", b""])
        for query in [0x1234, 0x1235]:
            s.sendto(query.to_bytes(2, "big") + b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + name + b"\\0\\1\\0\\1", (target, int(target_port)))
            answer, sender = s.recvfrom(4096)
            print(int.from_bytes(answer[:2], "big") == query, ".".join(map(str, answer[-4:])), sender[0] + ":" + str(sender[1]) == "127.0.0.1:" + target_port)
except socks.ProxyError as error:
    print(type(error).__name__, error)
`;

clientTest(suite, {
  name: "PySocks: a tunnel, and DNS through an association, for those who log in",
  needs: [PYTHON, `${MODULES}/socks.py`],
}, async ({ port }) => {
  await using server = await NameServer.start(({ type }) => ({
    records: type === "A" ? addressRecords(["192.0.2.33"]) : [],
  }));
  const talk = async (kind: string, user: string, password: string, target: string, targetPort: number) =>
    String(await outputOf([PYTHON, "-c", PYSOCKS, kind, `${port}`, user, password, target, `${targetPort}`]))
      .trimEnd();
  assertEquals(await talk("tcp", "ann", "s3cr3t", "localhost", web.port), "hello");
  assertEquals(
    await talk("udp", "ann", "s3cr3t", "127.0.0.1", server.port),
    "True 192.0.2.33 True\nTrue 192.0.2.33 True",
  );
  for (const kind of ["tcp", "udp"]) {
    assertMatch(await talk(kind, "ann", "wrong", "127.0.0.1", web.port), /^\w+Error .*authentication/i);
    assertMatch(await talk(kind, "", "", "127.0.0.1", web.port), /^\w+Error .*authentication methods/);
  }
  assertEquals(server.questions.all, Array(2).fill("www.example.test A"));
});

clientTest(
  denying,
  { name: "Chromium: whoever is refused sees why and whom to ask", needs: ["chromium"] },
  async (proxy) => {
    const show = async (scheme: string, url: string) =>
      String(
        await outputOf(
          chromium(join(FOLDER, `${scheme}-${proxy.port}`), `${scheme}://127.0.0.1:${proxy.port}`, url),
        ),
      );
    const page = await show("http", "http://www.denied.test/");
    assertMatch(page, /403 Forbidden<\/p>[^]*www\.denied\.test<\/p>/);
    const reference = /Contact: it@example\.test<\/p>\s*<p>Reference: ([\w-]+)</.exec(page)?.[1];
    // The browser may ask more than once, each time on another connection.
    const line = await proxy.output.find((line) => JSON.parse(line).id === reference);
    const record = JSON.parse(line);
    assertEquals(record.target, "http://www.denied.test/");
    assertEquals(record.reason, 'Denied by the rule "deny .denied.test" (--deny)');
    // A browser does not show a proxy's answer to CONNECT, which could pass for the site's own; headless, nothing.
    assertEquals((await show("http", "https://www.denied.test/")).trim(), "");
    assertEquals((await proxy.record("www.denied.test:443")).reason, record.reason);
  },
);

clientTest(
  suite,
  { name: "Chromium: one that does not log in gets nowhere", needs: ["chromium"] },
  async (proxy) => {
    const [plain] = urls();
    const before = proxy.output.all.length;
    const page = String(
      await outputOf(chromium(join(FOLDER, `users-${proxy.port}`), `http://127.0.0.1:${proxy.port}`, plain)),
    );
    assertEquals(proxy.output.all.slice(before).map((line) => JSON.parse(line).status), [407]);
    assert(!page.includes(">hello<"), page);
  },
);
