import { assert, assertEquals, assertInstanceOf, assertNotInstanceOf, assertRejects } from "@std/assert";
import type { Channel } from "../../src/streams/channel.ts";
import { Fault, type FaultCode } from "../../src/faults.ts";
import { UpstreamFault } from "../../src/protocols/common/connector.ts";
import { type ChainOptions, type ChainRequest, dialChain } from "../../src/dialing/chain.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import { hear, hearAll, say, until } from "../support/virtual_network.ts";

const CLIENT = {
  remote: { host: "192.0.2.77", port: 4711 },
  local: { host: "192.0.2.78", port: 8899 },
};

const ORIGIN = "203.0.113.9:80";

function request(options: Partial<ChainRequest> = {}): ChainRequest {
  return { kind: "tunnel", target: { host: "203.0.113.9", port: 80 }, client: CLIENT, ...options };
}

/** Where the proxies of this page are. */
const AT: Readonly<Record<string, string>> = {
  http: "198.51.100.1:3128",
  https: "198.51.100.5:443",
  socks4: "198.51.100.2:1080",
  socks5: "198.51.100.3:1080",
  line: "198.51.100.4:9",
};

async function machines(): Promise<MemoryNetwork> {
  const network = new MemoryNetwork();
  for (const scheme of ["http", "socks4", "socks5", "line"]) await network.proxy(`${scheme}://${AT[scheme]}`);
  await network.secureProxy(AT.https, "secure.test");
  network.echo(ORIGIN);
  return network;
}

function chainOf(...schemes: string[]) {
  const parts = schemes.map((scheme) => `${scheme}://${AT[scheme.replace(/[ah]$/, "")]}`);
  return parseChain(parts.join(",").replace(/(https:[^,]*)/g, "$1?name=secure.test"));
}

function* orders(items: readonly string[]): Generator<string[]> {
  if (items.length === 0) yield [];
  for (const first of items) {
    yield [first];
    for (const rest of orders(items.filter((item) => item !== first))) {
      if (rest.length > 0) yield [first, ...rest];
    }
  }
}

async function assertEchoes(channel: Channel): Promise<void> {
  assertEquals(await hear(channel, "\n"), "hello\n");
  await say(channel, "ping\n");
  assertEquals(await hearAll(channel), "echo ping\n");
}

Deno.test("chain: http, https, socks4, socks5 and line lead on in every order, and no byte is lost", async () => {
  await using network = await machines();
  let count = 0;
  for (const order of orders(["http", "https", "socks4", "socks5", "line"])) {
    network.dialed.length = 0;
    const { channel, address, proxy } = await dialChain(chainOf(...order), request(), network.options());
    await assertEchoes(channel);
    const [host, port] = AT[order[0]].split(":");
    assertEquals(address, { host, port: Number(port) });
    assertEquals(proxy, undefined);
    assertEquals(network.dialed, [...order.map((scheme) => AT[scheme]), ORIGIN], order.join());
    count++;
  }
  assertEquals(count, 325);
});

Deno.test("chain: without upstreams the target is dialed", async () => {
  await using network = await machines();
  const { channel } = await dialChain([], request(), network.options());
  await assertEchoes(channel);
  assertEquals(network.dialed, [ORIGIN]);
});

async function fails(
  network: MemoryNetwork,
  chain: string,
  options: Partial<ChainOptions> & { request?: ChainRequest } = {},
): Promise<Fault> {
  const { request: wanted = request(), ...rest } = options;
  const dialing = dialChain(parseChain(chain), wanted, network.options(rest));
  return await assertRejects(() => dialing, Fault);
}

for (
  const [scheme, code, socks5] of [
    ["http", "connection_refused", 5],
    ["socks5", "connection_refused", 5],
    ["socks4", "destination_unavailable", 1],
  ] as [string, FaultCode, number][]
) {
  Deno.test(`chain: a target that is not there is told as ${code} through ${scheme}`, async () => {
    await using network = await machines();
    network.unplug(ORIGIN);
    const fault = await fails(network, `line://${AT.line},${scheme}://${AT[scheme]}`);
    assertNotInstanceOf(fault, UpstreamFault);
    assertEquals([fault.code, fault.status, fault.socks5], [code, 502, socks5]);
    assert(fault.message.startsWith(`${scheme}://${AT[scheme]}: It re`), fault.message);
  });
}

Deno.test("chain: line tells of a target that is not there by the end of the connection", async () => {
  await using network = await machines();
  network.unplug(ORIGIN);
  const { channel } = await dialChain(chainOf("line"), request(), network.options());
  assertEquals(await hearAll(channel), "");
});

Deno.test("chain: an upstream that is not there is the upstream's failure, wherever it is", async () => {
  await using network = await machines();
  network.unplug(AT.socks5);
  for (
    const [chain, message] of [
      [`socks5://${AT.socks5}`, `socks5://${AT.socks5}: Cannot reach ${AT.socks5}`],
      [
        `http://${AT.http},socks5://${AT.socks5}`,
        `http://${AT.http}: It refused ${AT.socks5}: connection_refused (502)`,
      ],
    ]
  ) {
    const fault = await fails(network, chain);
    assertInstanceOf(fault, UpstreamFault);
    // A SOCKS5 client is not told 5, which would blame the target.
    assertEquals([fault.code, fault.socks5, fault.message], ["connection_refused", 1, message]);
  }
});

Deno.test("chain: users and passwords open what they belong to, and wrong ones are the upstream's failure", async () => {
  const authenticate = ({ user, password }: { user: string; password: string }) =>
    user === "ann" && password === "p@ss:ö";
  await using network = new MemoryNetwork();
  network.echo(ORIGIN);
  for (const scheme of ["http", "socks5"]) {
    await network.proxy(`${scheme}://${AT[scheme]}`, { authenticate });
    const right = parseChain(`${scheme}://ann:p%40ss%3A%C3%B6@${AT[scheme]}`);
    await assertEchoes((await dialChain(right, request(), network.options())).channel);
    for (const login of ["", "ann:wrong@", "bob:p%40ss%3A%C3%B6@"]) {
      const fault = await fails(network, `${scheme}://${login}${AT[scheme]}`);
      assertInstanceOf(fault, UpstreamFault);
      assertEquals([fault.code, fault.status, fault.socks5], ["proxy_configuration_error", 500, 1]);
      assert(!/wrong|p@ss|ann|bob/.test(fault.message), fault.message);
    }
  }
});

Deno.test("chain: a token comes from its file, and is not in the message when it cannot be used", async () => {
  await using network = new MemoryNetwork();
  const server = network.server("127.0.0.1:80");
  const dialing = dialChain(
    parseChain("http://127.0.0.1?token=t"),
    request({ via: "1.1 us" }),
    network.options(),
  );
  const proxy = await server.next();
  const head = await hear(proxy, "\r\n\r\n");
  assertEquals(
    head,
    "CONNECT 203.0.113.9:80 HTTP/1.1\r\nHost: 203.0.113.9:80\r\nProxy-Authorization: Bearer contents-of-t\r\n" +
      "Via: 1.1 us\r\n\r\n",
  );
  await say(proxy, "HTTP/1.1 200 OK\r\n\r\nearly");
  assertEquals(await hear((await dialing).channel, "early"), "early");
  const bad = await fails(network, "http://127.0.0.1?token=t", {
    readFile: () => Promise.resolve("a b\r\nsecret"),
  });
  assertInstanceOf(bad, UpstreamFault);
  assertEquals(bad.message, 'http://127.0.0.1:80: The file holds no bearer token: "t"');
  const missing = await fails(network, "http://127.0.0.1?token=t", {
    readFile: () => Promise.reject(new Error("!")),
  });
  assertEquals(missing.code, "proxy_configuration_error");
});

Deno.test("chain: TLS is asked for as the endpoint says, with the files that it names", async () => {
  await using network = await machines();
  const pin = `sha256/${"A".repeat(43)}=`;
  const parameters = `name=secure.test&pin=${pin}&cert=c&key=k&min-tls=1.3`;
  const { channel } = await dialChain(
    parseChain(`https://${AT.https}?${parameters}`),
    request(),
    network.options(),
  );
  await assertEchoes(channel);
  const [{ signal: _, ...asked }] = network.secured;
  assertEquals(asked, {
    serverName: "secure.test",
    pin,
    certificate: { cert: "contents-of-c\n", key: "contents-of-k\n" },
    minVersion: "TLSv1.3",
  });
  const ca = await dialChain(
    parseChain(`https://${AT.https}?name=secure.test&ca=a`),
    request(),
    network.options(),
  );
  await assertEchoes(ca.channel);
  assertEquals(network.secured[1].ca, "contents-of-a\n");
});

Deno.test("chain: a TLS handshake that fails is the upstream's failure", async () => {
  await using network = await machines();
  const connectTls = () =>
    Promise.reject(Object.assign(new Error("Wrong key"), { code: "tls_certificate_error" }));
  const fault = await fails(network, `https://${AT.https}`, { runtime: { ...network.runtime, connectTls } });
  assertInstanceOf(fault, UpstreamFault);
  assertEquals([fault.code, fault.message], ["tls_certificate_error", `https://${AT.https}: Wrong key`]);
});

Deno.test("chain: the PROXY protocol comes before everything else, on the hop that asks for it", async () => {
  await using network = await machines();
  const server = network.server("127.0.0.1:1");
  const header = "PROXY TCP4 192.0.2.77 192.0.2.78 4711 8899\r\n";
  for (const before of ["", `line://${AT.line},`]) {
    const chain = parseChain(`${before}socks4://127.0.0.1:1?proxy-protocol=v1`);
    const dialing = dialChain(chain, request(), network.options());
    const proxy = await server.next();
    assertEquals(await hear(proxy, "\x09\x00"), `${header}\x04\x01\x00\x50\xcb\x00\x71\x09\x00`);
    proxy.cut(new Fault("connection_terminated"));
    assertInstanceOf(await assertRejects(() => dialing), UpstreamFault);
  }
});

Deno.test("chain: an exchange goes to the last HTTP proxy itself, which is not asked for a tunnel", async () => {
  await using network = await machines();
  const server = network.server("127.0.0.1:1");
  for (const before of ["", `socks5://${AT.socks5},`]) {
    const chain = parseChain(`${before}http://ann:pw@127.0.0.1:1`);
    const { channel, proxy } = await dialChain(chain, request({ kind: "exchange" }), network.options());
    assertEquals(proxy, { authorization: `Basic ${btoa("ann:pw")}` });
    await say(channel, "GET");
    await until(() => server.all.length === (before ? 2 : 1));
    assertEquals(await hear(server.all.at(-1)!, "GET"), "GET");
  }
  const open = await dialChain(chainOf("socks5", "http"), request({ kind: "exchange" }), network.options());
  assertEquals(open.proxy, { authorization: undefined });
  const tunnel = await dialChain(chainOf("http", "socks5"), request({ kind: "exchange" }), network.options());
  assertEquals(tunnel.proxy, undefined);
  await assertEchoes(tunnel.channel);
});

Deno.test("chain: a target on a Unix socket, and a proxy on one", async () => {
  await using network = await machines();
  network.echo("unix:/run/origin.sock");
  const judge = () => {
    throw new Fault("destination_ip_prohibited");
  };
  const origin = await dialChain(parseChain("unix:/run/origin.sock"), request(), network.options({ judge }));
  await assertEchoes(origin.channel);
  assertEquals(origin.address, { path: "/run/origin.sock" });
  network.alias("unix:/run/proxy.sock", await network.proxy("socks5://127.0.0.1:1"));
  const proxied = await dialChain(parseChain("socks5h://unix:/run/proxy.sock"), request(), network.options());
  await assertEchoes(proxied.channel);
});

Deno.test("chain: names are sent on, or resolved here where the scheme says so", async () => {
  await using network = new MemoryNetwork();
  const server = network.server("127.0.0.1:1");
  const asked: string[] = [];
  const resolver = {
    resolve(host: string) {
      asked.push(host);
      return Promise.resolve(["2001:db8::1", "192.0.2.1", "192.0.2.2"]);
    },
  };
  const judge = ({ host }: { host: string }) => {
    if (host === "192.0.2.1") throw new Fault("destination_ip_prohibited");
  };
  const named = request({ target: { host: "origin.test", port: 80 } });
  const hello: [string, string] = ["\x05\x01\x00", "\x05\x00"];
  const granted = "\x00\x5a\x00\x00\x00\x00\x00\x00";
  const succeeded = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
  const ipv6 = `\x20\x01\x0d\xb8${"\x00".repeat(11)}\x01`;
  for (
    const [scheme, ...conversation] of [
      ["socks4", ["\x04\x01\x00\x50\xc0\x00\x02\x02\x00", granted]],
      ["socks4a", ["\x04\x01\x00\x50\x00\x00\x00\x01\x00origin.test\x00", granted]],
      ["socks5", hello, [`\x05\x01\x00\x04${ipv6}\x00\x50`, succeeded]],
      ["socks5h", hello, ["\x05\x01\x00\x03\x0borigin.test\x00\x50", succeeded]],
    ] as [string, ...[string, string][]][]
  ) {
    const chain = parseChain(`${scheme}://127.0.0.1:1`);
    const dialing = dialChain(chain, named, network.options({ resolver, judge }));
    const proxy = await server.next();
    for (const [sent, reply] of conversation) {
      assertEquals(await hear(proxy, sent), sent);
      await say(proxy, reply);
    }
    (await dialing).channel.cut(new Fault("connection_terminated"));
  }
  assertEquals(asked, ["origin.test", "origin.test"]);
});

Deno.test("chain: a name that cannot be resolved or sent is no failure of the upstream", async () => {
  await using network = new MemoryNetwork();
  const server = network.server("127.0.0.1:1");
  const named = request({ target: { host: "origin.test", port: 80 } });
  const lost = await fails(network, "socks5://127.0.0.1:1", { request: named });
  assertNotInstanceOf(lost, UpstreamFault);
  assertEquals(lost.code, "dns_error");
  const resolver = { resolve: () => Promise.resolve(["2001:db8::1"]) };
  const ipv6 = await fails(network, "socks4://127.0.0.1:1", { request: named, resolver });
  assertNotInstanceOf(ipv6, UpstreamFault);
  assertEquals(ipv6.code, "destination_ip_unroutable");
  const literal = await fails(network, "socks4://127.0.0.1:1", {
    request: request({ target: { host: "::1", port: 1 } }),
  });
  assertEquals(literal.code, "destination_ip_unroutable");
  assertEquals(server.all.length, 3);
});

Deno.test("chain: an address that the client names is judged before anything is dialed", async () => {
  await using network = await machines();
  const judge = () => {
    throw new Fault("destination_ip_prohibited", "No");
  };
  const fault = await fails(network, `http://${AT.http}`, { judge });
  assertNotInstanceOf(fault, UpstreamFault);
  assertEquals([fault.code, fault.message], ["destination_ip_prohibited", "No"]);
  assertEquals(network.dialed, []);
});

Deno.test("chain: the name of the first upstream is resolved here, that of the next one by the first", async () => {
  await using network = new MemoryNetwork();
  const server = network.server("198.51.100.1:80");
  const resolver = { resolve: () => Promise.resolve(["198.51.100.9", "198.51.100.1"]) };
  const chain = parseChain("http://first.test,http://second.test");
  const dialing = dialChain(chain, request(), network.options({ resolver }));
  const proxy = await server.next();
  assertEquals((await hear(proxy, "\r\n\r\n")).split("\r\n")[0], "CONNECT second.test:80 HTTP/1.1");
  await say(proxy, "HTTP/1.1 200 OK\r\n\r\n");
  assertEquals((await hear(proxy, "\r\n\r\n")).split("\r\n")[0], "CONNECT 203.0.113.9:80 HTTP/1.1");
  await say(proxy, "HTTP/1.1 403 No\r\n\r\n");
  const fault = await assertRejects(() => dialing, Fault);
  assertNotInstanceOf(fault, UpstreamFault);
  assertEquals(fault.message, "http://second.test:80: It refused 203.0.113.9:80 (403)");
  const unknown = await fails(network, "http://first.test");
  assertInstanceOf(unknown, UpstreamFault);
  assertEquals([unknown.code, unknown.message], ["dns_error", "http://first.test:80: first.test"]);
});

Deno.test("chain: an upstream that is ourselves is not dialed", async () => {
  await using network = await machines();
  const judgeUpstream = () => {
    throw new Fault("proxy_loop_detected", "That is us");
  };
  const fault = await fails(network, `http://${AT.http}`, { judgeUpstream });
  assertInstanceOf(fault, UpstreamFault);
  assertEquals(fault.code, "proxy_loop_detected");
  assertEquals(network.dialed, []);
});

Deno.test("chain: an upstream that hangs up in the middle of the handshake has failed", async () => {
  await using network = new MemoryNetwork();
  const server = network.server("127.0.0.1:1");
  for (const scheme of ["http", "socks4", "socks5"]) {
    for (const graceful of [true, false]) {
      const count = server.all.length;
      const dialing = fails(network, `${scheme}://127.0.0.1:1`);
      await until(() => server.all.length > count);
      await server.all[count].reader.fill();
      if (graceful) await server.all[count].writer.close();
      else server.all[count].cut(new Fault("connection_terminated"));
      const fault = await dialing;
      assertInstanceOf(fault, UpstreamFault);
      assertEquals(fault.code, "connection_terminated");
    }
  }
});

Deno.test("chain: aborting ends it with the signal's reason, and the connection with it", async () => {
  await using network = await machines();
  const server = network.server("127.0.0.1:1");
  for (const chain of ["socks5://127.0.0.1:1", `http://${AT.http},socks5://127.0.0.1:1`]) {
    const count = server.all.length;
    const controller = new AbortController();
    const dialing = dialChain(parseChain(chain), request(), network.options({ signal: controller.signal }));
    await until(() => server.all.length > count);
    const proxy = server.all[count];
    await hear(proxy, "\x05\x01\x00");
    const reason = new Fault("client_disconnected");
    controller.abort(reason);
    assertEquals(await assertRejects(() => dialing), reason);
    await assertRejects(() => hearAll(proxy));
  }
});

Deno.test("chain: who waited in vain is told that it was for the upstream", async () => {
  await using network = await machines();
  const late = AbortSignal.abort(new Fault("connection_timeout"));
  const fault = await fails(network, `http://${AT.http}`, { signal: late });
  assertInstanceOf(fault, UpstreamFault);
  assertEquals([fault.code, fault.socks5], ["connection_timeout", 1]);
  assertEquals(fault.message, `http://${AT.http}: The next proxy did not answer in time.`);
});
