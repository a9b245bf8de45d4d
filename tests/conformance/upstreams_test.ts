/**
 * Upstreams of every scheme, with sluice at both ends: what arrives, by which way, and who is told what.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { digest, request, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import type { TcpAddress } from "../../src/runtime/contract.ts";
import { chunked } from "../support/http_message.ts";
import { addressRecords, NameServer, zone } from "../support/name_server.ts";
import { ClosedPort, httpOrigin, Origin, response } from "../support/origin.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";
import type { Row } from "../support/toolchain.ts";

/** Where an upstream is reached: without a user, with one, and by the `line` protocol. */
interface Places {
  readonly open: string;
  readonly closed: string;
  readonly line: string;
}

/** A way: the upstream, by what protocol it is asked and as whom, and who resolves the target's name. */
interface Way {
  readonly via: (places: Places) => string;
  readonly protocol?: string;
  readonly user?: string;
  readonly resolves: "here" | "there";
}

/** The target's name decides on the way. */
const WAYS: Readonly<Record<string, Way>> = {
  "http.test": { via: ({ open }) => `http://${open}`, protocol: "http", resolves: "there" },
  "bare.test": { via: ({ open }) => open, protocol: "http", resolves: "there" },
  "http-user.test": {
    via: ({ closed }) => `http://ann:s3cr%C3%A9t@${closed}`,
    protocol: "http",
    user: "ann",
    resolves: "there",
  },
  "socks4.test": { via: ({ open }) => `socks4://ann@${open}`, protocol: "socks4", resolves: "here" },
  "socks4a.test": { via: ({ open }) => `socks4a://${open}`, protocol: "socks4", resolves: "there" },
  "socks5.test": { via: ({ open }) => `socks5://${open}`, protocol: "socks5", resolves: "here" },
  "socks5h.test": { via: ({ open }) => `socks5h://${open}`, protocol: "socks5", resolves: "there" },
  "socks5h-user.test": {
    via: ({ closed }) => `socks5h://ann:s3cr%C3%A9t@${closed}`,
    protocol: "socks5",
    user: "ann",
    resolves: "there",
  },
  "line.test": { via: ({ line }) => `line://${line}`, protocol: "line", resolves: "there" },
  "chain.test": {
    via: ({ open, closed, line }) => `socks5h://${open},http://ann:s3cr%C3%A9t@${closed},line://${line}`,
    protocol: "line",
    resolves: "there",
  },
  "direct.test": { via: () => "direct", resolves: "here" },
};

const NAMES = Object.keys(WAYS);

/** A proxy with a way for each name, the upstreams that they lead by, and the name servers of both sides. */
interface Roads extends AsyncDisposable {
  readonly proxy: ProxyProcess;
  readonly open: ProxyProcess;
  readonly closed: ProxyProcess;
  readonly here: NameServer;
  readonly there: NameServer;
}

async function startRoads(row: Row): Promise<Roads> {
  const stack = new AsyncDisposableStack();
  const names = zone(Object.fromEntries(NAMES.map((name) => [name, ["127.0.0.1"]])));
  const [here, there] = await Promise.all([NameServer.start(names), NameServer.start(names)]);
  stack.use(here);
  stack.use(there);
  const dns = ["--dns", there.authority];
  const [open, closed] = await Promise.all([
    ProxyProcess.start(row, [...dns, "--listen", "line://127.0.0.1:0"]),
    ProxyProcess.start(row, [...dns, "--user", "ann:s3crét"]),
  ]);
  stack.use(open);
  stack.use(closed);
  const places: Places = {
    open: `127.0.0.1:${open.port}`,
    closed: `127.0.0.1:${closed.port}`,
    line: `127.0.0.1:${(open.addresses[1] as TcpAddress).port}`,
  };
  const { "http.test": first, ...others } = WAYS;
  const routes = Object.entries(others).flatMap((
    [name, { via }],
  ) => ["--route", `${name} via ${via(places)}`]);
  const proxy = stack.use(
    await ProxyProcess.start(row, [
      "--dns",
      here.authority,
      "--proxy",
      first.via(places),
      ...routes,
    ]),
  );
  return {
    proxy,
    open,
    closed,
    here,
    there,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The records of both proxies are of the way that was meant, and nobody asked for a name whose turn it was not. */
async function assertWay(roads: Roads, name: string, target: string): Promise<void> {
  const { protocol, user, resolves } = WAYS[name];
  const { route } = await roads.proxy.record(target);
  const places = String(route).split(",").map((endpoint) => /^(?:[a-z0-9]+:\/\/127|direct$)/.test(endpoint));
  assertEquals(places, Array(name === "chain.test" ? 3 : 1).fill(true), `${route}`);
  assert(!String(route).includes("ann"), `${route}`);
  const questions = (server: NameServer) =>
    server.questions.all.filter((asked) => asked.startsWith(`${name} `));
  assertEquals(questions(roads.here).length > 0, resolves === "here", name);
  assertEquals(questions(roads.there).length > 0, resolves === "there", name);
  if (protocol === undefined) return;
  const next = user === undefined ? roads.open : roads.closed;
  const asked = resolves === "here" ? "127.0.0.1" : name;
  const port = target.split("/")[0].split(":")[1];
  const line = await next.output.find((line) => {
    const record = JSON.parse(line);
    return record.protocol === protocol && String(record.target).includes(`${asked}:${port}`) &&
      record.user === user;
  });
  assertEquals(JSON.parse(line).route, "direct");
}

testRows("upstreams: GET and POST arrive by every scheme, with nobody's credentials", async (row) => {
  await using roads = await startRoads(row);
  await using origin = await httpOrigin(({ target, fields, body, framing }) =>
    response(JSON.stringify({
      target,
      framing,
      fields: fields.map(([field]) => field.toLowerCase()),
      body: digest(body),
    }))
  );
  const body = randomBytes(300_000);
  for (const name of NAMES) {
    const authority = `${name}:${origin.port}`;
    using client = await roads.proxy.connect();
    await client.send(
      request("GET", `http://${authority}/get?x`, "Proxy-Authorization: Basic bm86Ym9keQ=="),
    );
    const got = JSON.parse((await client.message()).text);
    assertEquals([got.target, got.framing], ["/get?x", "none"], name);
    assertEquals(got.fields.filter((field: string) => field.startsWith("proxy-")), [], name);
    await client.send(request("POST", `http://${authority}/length`, `Content-Length: ${body.length}`));
    await client.send(body);
    const sized = JSON.parse((await client.message()).text);
    assertEquals([sized.target, sized.framing, sized.body], ["/length", "length", digest(body)], name);
    await client.send(request("POST", `http://${authority}/chunked`, "Transfer-Encoding: chunked"));
    await client.send(chunked(body));
    const streamed = JSON.parse((await client.message()).text);
    assertEquals([streamed.target, streamed.framing, streamed.body], [
      "/chunked",
      "chunked",
      digest(body),
    ], name);
    client[Symbol.dispose]();
  }
  for (const name of NAMES) await assertWay(roads, name, `${name}:${origin.port}/get?`);
});

/** How clients ask for a tunnel: what they send, and what they wait for. */
const ASKS: Readonly<
  Record<
    string,
    { ask: (host: string, port: number) => Buffer; answered: (c: RawConnection) => Promise<void> }
  >
> = {
  "CONNECT": {
    ask: (host, port) => Buffer.from(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`),
    answered: async (client) => assertMatch(await client.readUntil("\r\n\r\n"), /^HTTP\/1\.1 200 /),
  },
  "SOCKS4A": {
    ask: (host, port) => socks4Request(host, port),
    answered: async (client) => assertEquals((await client.read(8))[1], 0x5A),
  },
  "SOCKS5": {
    ask: (host, port) => Buffer.concat([SOCKS5_GREETING, socks5Request(host, port)]),
    answered: async (client) => {
      await client.read(2);
      assertEquals(await socks5Reply(client), 0);
    },
  },
};

testRows("upstreams: tunnels stand by every scheme, and early bytes of both ends arrive", async (row) => {
  await using roads = await startRoads(row);
  const bytes = randomBytes(100_000);
  await using origin = await Origin.listen(async (connection) => {
    // It speaks first, as mail servers do.
    await connection.send("220 ready\r\n");
    await connection.send(await connection.readToEnd());
    connection.end();
    await connection.ending();
  });
  for (const name of NAMES) {
    for (const [protocol, { ask, answered }] of Object.entries(ASKS)) {
      using client = await roads.proxy.connect();
      // Behind the request, before the tunnel stands.
      await client.send(Buffer.concat([ask(name, origin.port), bytes]));
      await answered(client);
      assertEquals(await client.readUntil("\r\n"), "220 ready\r\n", `${protocol} to ${name}`);
      client.end();
      assertEquals(digest(await client.readToEnd()), digest(bytes), `${protocol} to ${name}`);
    }
  }
  for (const name of NAMES) await assertWay(roads, name, `${name}:${origin.port}`);
});

testRows(
  "upstreams: who logs in here is not told there, and nobody but the upstream who we are",
  async (row) => {
    const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;
    const seen: (string | undefined)[] = [];
    await using next = await Origin.listen(async (connection) => {
      while (true) {
        const message = await connection.message();
        seen.push(message.field("proxy-authorization"));
        await connection.send(message.method === "CONNECT" ? "HTTP/1.1 200 OK\r\n\r\n" : response("ok"));
      }
    });
    for (const [user, expected] of [["ann:s3cret@", basic("ann:s3cret")], ["", undefined]] as const) {
      await using proxy = await ProxyProcess.start(row, [
        ...["--user", "bob:own", "--proxy", `http://${user}${next.authority}`],
      ]);
      const login = `Proxy-Authorization: ${basic("bob:own")}`;
      using client = await proxy.connect();
      await client.send(request("GET", "http://target.test/", login));
      assertEquals((await client.message()).text, "ok");
      using other = await proxy.connect();
      await other.send(`CONNECT target.test:1 HTTP/1.1\r\nHost: target.test:1\r\n${login}\r\n\r\n`);
      assertMatch(await other.readUntil("\r\n\r\n"), / 200 /);
      assertEquals(seen.splice(0), [expected, expected]);
    }
  },
);

testRows("upstreams: --no-proxy and --route lead past them", async (row) => {
  await using origin = await httpOrigin();
  await using next = await ProxyProcess.start(row, ["--name", "next"]);
  const upstream = `http://127.0.0.1:${next.port}`;
  await using names = await NameServer.start(() => ({ records: [{ type: "A", data: "127.0.0.1" }] }));
  await using proxy = await ProxyProcess.start(row, [
    ...["--dns", names.authority, "--proxy", upstream, "--no-proxy", `.past.test,127.0.0.0/8:${origin.port}`],
    ...["--route", `routed.past.test via socks5://127.0.0.1:${next.port}`],
    ...["--route", "direct.test via direct"],
  ]);
  const expected: Record<string, string> = {
    "a.past.test": "direct",
    "past.test": "direct",
    "127.0.0.1": "direct",
    "routed.past.test": `socks5://127.0.0.1:${next.port}`,
    "direct.test": "direct",
  };
  for (const [host, route] of Object.entries(expected)) {
    using client = await proxy.connect();
    const uri = `http://${host}:${origin.port}/${crypto.randomUUID()}`;
    await client.send(request("GET", uri));
    assertEquals((await client.message()).status, 200, host);
    assertEquals((await proxy.record(uri)).route, route, host);
  }
  using client = await proxy.connect();
  await client.send(request("GET", `http://localhost:${origin.port}/rest`));
  assertEquals((await client.message()).status, 200);
  assertEquals((await proxy.record("/rest")).route, upstream);
});

testRows(
  "upstreams: requests of a client to all targets share a connection to an HTTP proxy, and nobody else's do",
  async (row) => {
    let count = 0;
    await using next = await Origin.listen(async (connection) => {
      count++;
      while (true) await connection.send(response((await connection.message()).target));
    });
    await using proxy = await ProxyProcess.start(row, ["--proxy", `http://${next.authority}`]);
    for (let clients = 1; clients <= 3; clients++) {
      using client = await proxy.connect();
      for (let i = 0; i < 5; i++) {
        await client.send(request("GET", `http://target${i}.test/path`));
        assertEquals((await client.message()).text, `http://target${i}.test/path`);
      }
      assertEquals(count, clients);
    }
  },
);

testRows("--no-proxy compares names as they are on the wire, and *.NAME is not NAME", async (row) => {
  await using names = await NameServer.start(({ type }) => ({
    records: type === "A" ? addressRecords(["127.0.0.1"]) : [],
  }));
  await using origin = await httpOrigin();
  await using dead = await ClosedPort.take();
  const list = "bücher.example,*.corp.example,xn--mnchen-3ya.example";
  await using proxy = await ProxyProcess.start(row, [
    ...["--dns", names.authority, "--proxy", `http://127.0.0.1:${dead.port}`, "--no-proxy", list],
  ]);
  const cases = [
    ["xn--bcher-kva.example", 200],
    ["www.XN--BCHER-KVA.example.", 200],
    ["xn--mnchen-3ya.example", 200],
    ["git.corp.example", 200],
    ["corp.example", 502],
    ["bucher.example", 502],
  ] as const;
  for (const [host, status] of cases) {
    using client = await proxy.connect();
    await client.send(`GET http://${host}:${origin.port}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertEquals((await client.message()).status, status, host);
  }
});
