import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ProxyOptions } from "../../src/proxy/options.ts";
import { hashPassword, parseHash } from "../../src/policy/password_hash.ts";
import { createProxy } from "../../src/proxy/server.ts";
import type { Address, ByteStream, Listener } from "../../src/runtime/contract.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { Channel } from "../../src/streams/channel.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { hear, hearAll, say, until, VirtualNetwork } from "../support/virtual_network.ts";

const GET = "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\nConnection: close\r\n";

/** The status of a request to a target that refuses connections: 502 where it may go there. */
async function statusOf(network: VirtualNetwork, fields = ""): Promise<string> {
  const { client } = network.connect();
  await say(client, `${GET}${fields}\r\n`);
  return (await hearAll(client)).slice(9, 12);
}

function login(user: string): string {
  return `Proxy-Authorization: Basic ${btoa(user)}\r\n`;
}

Deno.test("reload() takes new rules, limits and texts for every request from then on", async () => {
  const network = await VirtualNetwork.start();
  assertEquals(await statusOf(network), "502");
  await network.proxy.reload({
    rules: ["deny dead.test"],
    limits: { headerSize: 1_024 },
    contact: "it@example.com",
  });
  const { client } = network.connect();
  await say(client, `${GET}\r\n`);
  assertMatch(await hearAll(client), /^HTTP\/1.1 403 .*it@example.com/s);
  assertEquals(await statusOf(network, `X: ${"x".repeat(1_024)}\r\n`), "431");
  await network.proxy.reload({ rules: [] });
  assertEquals(await statusOf(network), "502");
  assertEquals(await statusOf(network, `X: ${"x".repeat(1_024)}\r\n`), "431");
});

Deno.test("reload() reaches connections that stand, with their next request", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  const request = "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\n\r\n";
  await say(client, request);
  assertMatch(await hear(client, /\r\n\r\n[^]+\n/), /^HTTP\/1.1 502 /);
  await network.proxy.reload({ rules: ["deny dead.test"] });
  await say(client, request);
  assertMatch(await hear(client, /HTTP\/1.1 403 [^]*\r\n\r\n/), /403/);
});

Deno.test("reload() reaches connections that are kept to an origin: new rules about addresses judge them again", async () => {
  const network = await VirtualNetwork.start({ rules: ["deny 198.51.100.0/24"] });
  const { client } = network.connect();
  const request = "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n";
  await say(client, request);
  const origin = await network.origin();
  for (let i = 0; i < 2; i++) {
    await hear(origin, "\r\n\r\n");
    await say(origin, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assertMatch(await hear(client, "\r\n\r\n"), /^HTTP\/1.1 200 /);
    if (i === 0) await say(client, request);
  }
  const [dialed] = network.dialed;
  await network.proxy.reload({ rules: [`deny ${dialed.split(":")[0]}/32`] });
  await say(client, request);
  assertMatch(await hear(client, /HTTP\/1.1 403 [^]*\r\n\r\n/), /403/);
  assertEquals(network.dialed, [dialed]);
});

Deno.test("reload() sends requests through other upstreams", async () => {
  const network = await VirtualNetwork.start({ proxy: "http://192.0.2.1:1" });
  const first = network.connect();
  await say(first.client, `${GET}\r\n`);
  await network.origin();
  await network.proxy.reload({ proxy: "http://192.0.2.2:2" });
  const second = network.connect();
  await say(second.client, `${GET}\r\n`);
  await network.origin();
  assertEquals(network.dialed, ["192.0.2.1:1", "192.0.2.2:2"]);
});

Deno.test("reload() changes all or nothing", async () => {
  const network = await VirtualNetwork.start({ users: ["ann:secret"] });
  const bad: [ProxyOptions, string][] = [
    [{ rules: ["deny dead.test", "dney a.test"] }, 'did you mean "deny"?'],
    [{ rules: ["deny dead.test"], proxy: "ftp://a.test:1" }, "Invalid upstream"],
    [{ rules: ["deny dead.test"], users: ["ann"] }, "Invalid user"],
    [{ rules: ["deny dead.test"], timeouts: { connect: NaN } }, "timeouts.connect"],
    [{ rules: ["deny dead.test"], name: "another" }, 'The option "name" cannot be changed by a reload'],
    [{ rules: ["deny dead.test"], listen: "127.0.0.1:80a" }, "Invalid listener"],
    [{ rules: ["deny dead.test"], allowClients: ["10.0.0.1/8"] }, "10.0.0.0/8"],
    [{ rules: ["deny dead.test"], nmae: "a" } as ProxyOptions, 'Unknown option "nmae": did you mean "name"?'],
  ];
  for (const [changes, message] of bad) {
    await assertRejects(() => network.proxy.reload(changes), UsageError, message);
    assertEquals(await statusOf(network, login("ann:secret")), "502");
  }
});

Deno.test("reload() takes what wants a restart where it is as it was", async () => {
  const network = await VirtualNetwork.start({ listen: [], limits: { connections: 5 } });
  await network.proxy.reload({
    listen: [],
    name: "test-proxy",
    limits: { connections: 5, attempts: 20 },
    timeouts: { dns: 5_000, idle: 1 },
    admin: undefined,
  });
});

Deno.test("reload() breaks off what users have who are gone or have another password, unless told to keep it", async () => {
  const hash = parseHash(await hashPassword("secret"));
  for (const keepTunnels of [false, true]) {
    const network = await VirtualNetwork.start({
      users: [{ user: "ann", hash }, "bob:secret", "eve:old"],
      keepTunnels,
    });
    const tunnel = async (user: string) => {
      const connected = network.connect();
      await say(
        connected.client,
        `CONNECT origin.test:80 HTTP/1.1\r\nHost: origin.test:80\r\n${login(user)}\r\n`,
      );
      await hear(connected.client, "\r\n\r\n");
      return connected;
    };
    await tunnel("ann:secret");
    await tunnel("bob:secret");
    await tunnel("eve:old");
    await network.proxy.reload({ users: ["bob:secret", "eve:new"] });
    await until(() => network.proxy.connections === (keepTunnels ? 3 : 1));
    assertEquals(network.records.map(({ user }) => user), keepTunnels ? [] : ["ann", "eve"]);
    assertEquals(await statusOf(network, login("ann:secret")), "407");
    await network.proxy.close({ drain: 0 });
  }
});

Deno.test("reload() replaces tokens", async () => {
  const [old, fresh] = ["o", "n"].map((letter) => letter.repeat(43));
  const network = await VirtualNetwork.start({ tokens: [old] });
  const status = (token: string) => statusOf(network, `Proxy-Authorization: Bearer ${token}\r\n`);
  assertEquals([await status(old), await status(fresh)], ["502", "407"]);
  await network.proxy.reload({ tokens: [fresh] });
  assertEquals([await status(old), await status(fresh)], ["407", "502"]);
});

Deno.test("two reloads at once are one behind the other", async () => {
  const network = await VirtualNetwork.start();
  await Promise.all([
    network.proxy.reload({ rules: ["deny dead.test"] }),
    network.proxy.reload({ contact: "it@example.com" }),
  ]);
  const { client } = network.connect();
  await say(client, `${GET}\r\n`);
  assertMatch(await hearAll(client), /^HTTP\/1.1 403 .*it@example.com/s);
});

Deno.test("reload() with the whole options puts back what they leave out", async () => {
  const network = await VirtualNetwork.start({ rules: ["deny dead.test"], contact: "it@example.com" });
  const fixed = { ...network.options, rules: undefined, contact: undefined };
  await network.proxy.reload({ contact: undefined });
  const { client } = network.connect();
  await say(client, `${GET}\r\n`);
  assertMatch(await hearAll(client), /^HTTP\/1.1 403 .*it@example.com/s);
  await network.proxy.reload(fixed, { whole: true });
  assertEquals(await statusOf(network), "502");
});

Deno.test("reload() can ask clients to log in, and stop asking", async () => {
  const network = await VirtualNetwork.start();
  assertEquals(await statusOf(network), "502");
  await network.proxy.reload({ users: ["ann:secret"] });
  assertEquals([await statusOf(network), await statusOf(network, login("ann:secret"))], ["407", "502"]);
  await network.proxy.reload({ ...network.options, users: undefined }, { whole: true });
  assertEquals(await statusOf(network), "502");
});

Deno.test("reload() takes limits of connections, and hosts", async () => {
  const network = await VirtualNetwork.start();
  const { client } = network.connect();
  await say(client, "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\n\r\n");
  await hear(client, /\r\n\r\n[^]+\n/);
  await network.proxy.reload({ limits: { connections: 1 } });
  assertEquals(await statusOf(network), "503");
  await network.proxy.reload({ limits: { connections: 9 } });
  await network.proxy.reload({ hosts: new Map([["dead.test", ["192.0.2.99"]]]) });
  await say(network.connect().client, `${GET}\r\n`);
  await network.origin();
  assertEquals(network.dialed.at(-1), "192.0.2.99:80");
});

const NEIGHBOUR = { host: "127.0.0.1", port: 50_000 };

/** A runtime with listeners whose clients the test makes. */
class Ports {
  readonly network = new VirtualNetwork();
  readonly log: string[] = [];
  readonly inUse = new Set<string>();
  readonly #clients = new Map<string, (stream: ByteStream) => void>();
  #port = 40_000;

  readonly runtime = {
    ...this.network.runtime,
    listen: ({ address }: { readonly address: Address }): Promise<Listener> => {
      const { host, port } = address as { host: string; port: number };
      const bound = { host, port: port || this.#port++ };
      const name = `${bound.host}:${bound.port}`;
      if (this.inUse.has(name)) {
        return Promise.reject(Object.assign(new Error(`${name} is in use`), { code: "address_in_use" }));
      }
      this.inUse.add(name);
      this.log.push(`opened ${name}`);
      const waiting: ByteStream[] = [];
      let wake = (): void => {};
      let open = true;
      this.#clients.set(name, (stream) => (waiting.push(stream), wake()));
      return Promise.resolve({
        address: bound,
        close: () => {
          open = false;
          this.inUse.delete(name);
          this.log.push(`closed ${name}`);
          wake();
          return Promise.resolve();
        },
        async *[Symbol.asyncIterator]() {
          while (open) {
            const stream = waiting.shift();
            if (stream) yield stream;
            else await new Promise<void>((resolve) => wake = resolve);
          }
        },
      });
    },
  };

  /** A client that has connected to a listener, whether somebody accepts there yet or not. */
  connect(name: string) {
    const [near, far] = memoryPair();
    this.#clients.get(name)!({ ...far, local: { host: "127.0.0.1", port: 1 }, remote: NEIGHBOUR });
    return new Channel(near, "target");
  }
}

const FORBIDDEN = "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\n\r\n";

Deno.test("reload() opens listeners that are new, leaves those that stay, and closes those that are gone", async () => {
  const ports = new Ports();
  const { runtime } = ports;
  const proxy = await createProxy({ runtime, listen: ["127.0.0.1:1", "127.0.0.1:0"], rules: ["deny *"] });
  const kept = ports.connect("127.0.0.1:1");
  const gone = ports.connect("127.0.0.1:40000");
  for (const client of [kept, gone]) {
    await say(client, FORBIDDEN);
    await hear(client, /HTTP\/1.1 403 [^]*\r\n\r\n/);
  }
  await proxy.reload({ listen: ["127.0.0.1:2", "127.0.0.1:1"], admin: "127.0.0.1:3" });
  assertEquals(ports.log, [
    "opened 127.0.0.1:1",
    "opened 127.0.0.1:40000",
    "opened 127.0.0.1:2",
    "opened 127.0.0.1:3",
    "closed 127.0.0.1:40000",
  ]);
  assertEquals(proxy.addresses.map((address) => "port" in address && address.port), [2, 1, 3]);
  await hearAll(gone);
  await say(kept, FORBIDDEN);
  await hear(kept, /403/);
  const fresh = ports.connect("127.0.0.1:2");
  await say(fresh, FORBIDDEN);
  await hear(fresh, /403/);
  await proxy.close({ drain: 0 });
  assertEquals(ports.inUse.size, 0);
});

Deno.test("reload() changes what is spoken at an address that stays", async () => {
  const ports = new Ports();
  const proxy = await createProxy({
    runtime: ports.runtime,
    listen: "socks5://127.0.0.1:1",
    rules: ["deny *"],
  });
  await proxy.reload({ listen: "http://127.0.0.1:1" });
  const client = ports.connect("127.0.0.1:1");
  await say(client, FORBIDDEN);
  await hear(client, /^HTTP\/1.1 403 /);
  assertEquals(ports.log, ["opened 127.0.0.1:1"]);
  await proxy.close({ drain: 0 });
});

Deno.test("reload() keeps port 0 where it is, and closes nothing where a listener cannot be opened", async () => {
  const ports = new Ports();
  const proxy = await createProxy({ runtime: ports.runtime, listen: "127.0.0.1:0" });
  await proxy.reload({ listen: "127.0.0.1:0", rules: ["deny *"] });
  ports.inUse.add("127.0.0.1:2");
  await assertRejects(
    () => proxy.reload({ listen: ["127.0.0.1:1", "127.0.0.1:2"], rules: [] }),
    Error,
    "127.0.0.1:2 is in use",
  );
  assertEquals(ports.log, ["opened 127.0.0.1:40000", "opened 127.0.0.1:1", "closed 127.0.0.1:1"]);
  const client = ports.connect("127.0.0.1:40000");
  await say(client, FORBIDDEN);
  await hear(client, /403/);
  await proxy.close({ drain: 0 });
});
