import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Address, ByteStream, Listener, ListenOptions } from "../../src/runtime/contract.ts";
import { createProxy } from "../../src/proxy/server.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { hear, hearAll, say, until, VirtualNetwork } from "../support/virtual_network.ts";

/** A runtime whose listeners accept nobody; ports that are in use reject. */
function listening({ inUse = [] as number[] } = {}) {
  const bound: Address[] = [];
  const closed: Address[] = [];
  const network = new VirtualNetwork();
  const listen = ({ address }: { address: Address }): Promise<Listener> => {
    if ("port" in address && inUse.includes(address.port)) {
      return Promise.reject(Object.assign(new Error("In use"), { code: "address_in_use" }));
    }
    bound.push(address);
    let stop = () => {};
    const stopped = new Promise<void>((resolve) => stop = resolve);
    return Promise.resolve({
      address,
      close: () => Promise.resolve(stop()).then(() => void closed.push(address)),
      // deno-lint-ignore require-yield -- nobody comes
      async *[Symbol.asyncIterator](): AsyncGenerator<ByteStream> {
        await stopped;
      },
    });
  };
  return { bound, closed, runtime: { ...network.runtime, listen } };
}

Deno.test("createProxy() listens on loopback unless told otherwise", async () => {
  const { bound, closed, runtime } = listening();
  const proxy = await createProxy({ runtime });
  assertEquals(bound, [{ host: "127.0.0.1", port: 8899 }]);
  assertEquals(proxy.addresses, bound);
  await proxy.close();
  assertEquals(closed, bound);
});

Deno.test("a proxy tells the URL and the port of its first listener", async () => {
  const { runtime } = listening();
  const cases: [listen: string | string[], url: string | undefined, port: number | undefined][] = [
    ["127.0.0.1:8899", "http://127.0.0.1:8899", 8899],
    [["[::1]:81", "127.0.0.1:80"], "http://[::1]:81", 81],
    ["socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080", 1080],
    ["0.0.0.0:80", "http://127.0.0.1:80", 80],
    ["[::]:80", "http://[::1]:80", 80],
    [[], undefined, undefined],
  ];
  for (const [listen, url, port] of cases) {
    const proxy = await createProxy({ runtime, listen, allowOpen: true, admin: "127.0.0.1:9" });
    assertEquals([proxy.url, proxy.port], [url, port]);
    await proxy.close();
  }
});

Deno.test("createProxy() leaves nothing listening when one of its endpoints cannot be bound", async () => {
  const { bound, closed, runtime } = listening({ inUse: [81] });
  await assertRejects(
    () => createProxy({ runtime, listen: ["127.0.0.1:80", "127.0.0.1:81"] }),
    Error,
    "In use",
  );
  assertEquals(bound.length, 1);
  assertEquals(closed, bound);
});

Deno.test("createProxy() shares its addresses with other workers, if there are any", async () => {
  for (const [workers, expected] of [[1, false], [2, true]] as const) {
    const { runtime } = listening();
    const shared: unknown[] = [];
    const listen = (options: ListenOptions): Promise<Listener> => {
      shared.push(options.shared);
      return runtime.listen(options);
    };
    await (await createProxy({ runtime: { ...runtime, listen }, workers })).close();
    assertEquals(shared, [expected]);
  }
});

Deno.test("createProxy() refuses to be an open proxy by accident", async () => {
  const { bound, runtime } = listening();
  for (const listen of ["0.0.0.0:80", "127.0.0.1:80?proxy-protocol=127.0.0.1", "unix:/run/s?mode=0660"]) {
    await assertRejects(() => createProxy({ runtime, listen }), UsageError, "--allow-open");
  }
  assertEquals(bound, []);
  await (await createProxy({ runtime, listen: "0.0.0.0:80", allowOpen: true })).close();
  await (await createProxy({ runtime, listen: "0.0.0.0:80", authenticate: () => true })).close();
  assertEquals(bound.length, 2);
});

Deno.test("connections beyond the limit are told so on their protocol, and those within it go on", async () => {
  const network = await VirtualNetwork.start({ limits: { connections: 1 } });
  const first = network.connect();
  const http = network.connect();
  const socks = network.connect();
  await say(http.client, "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n");
  const answer = await hearAll(http.client);
  assertMatch(answer, /^HTTP\/1.1 503 .*\r\nConnection: close\r\n/s);
  assertMatch(answer, /\r\nRetry-After: [0-9]+\r\n/);
  assertMatch(answer, /\r\nProxy-Status: test-proxy; error=connection_limit_reached\r\n/);
  await say(socks.client, "\x05\x01\x00\x05\x01\x00\x03\x0borigin.test\x00\x50");
  assertEquals(await hearAll(socks.client), "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00");
  await say(first.client, "CONNECT origin.test:80 HTTP/1.1\r\nHost: origin.test:80\r\n\r\n");
  await hear(first.client, "200 Connection established");
  await Promise.all([http.client.writer.close(), socks.client.writer.close()]);
  await until(() => network.proxy.connections === 1);
});

Deno.test("each of several workers takes its part of the limit of connections, and one at least", async () => {
  for (const [workers, part] of [[3, 2], [20, 1]]) {
    const network = await VirtualNetwork.start({ workers, limits: { connections: 8 } });
    const within = Array.from({ length: part }, () => network.connect());
    const beyond = network.connect();
    await say(beyond.client, "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n");
    assertMatch(await hearAll(beyond.client), /^HTTP\/1.1 503 /);
    for (const { client } of within) {
      await say(client, "CONNECT origin.test:80 HTTP/1.1\r\nHost: origin.test:80\r\n\r\n");
      await hear(client, "200 Connection established");
    }
    await network.proxy.close({ drain: 0 });
  }
});

Deno.test("close() may be called again, and cuts at once when called with no time to drain", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = network.connect();
  await say(client, "CONNECT origin.test:80 HTTP/1.1\r\nHost: origin.test:80\r\n\r\n");
  await hear(client, "\r\n\r\n");
  const gentle = network.proxy.close();
  const harsh = network.proxy.close({ drain: 0 });
  await Promise.all([gentle, harsh, done]);
  assertEquals(network.proxy.connections, 0);
});

Deno.test("a callback that throws costs no connection anything", async () => {
  const errors: string[] = [];
  const log = { error: (message: string) => errors.push(message), warn() {}, info() {}, debug() {} };
  const network = await VirtualNetwork.start({
    log,
    onRecord: () => {
      throw new Error("Full disk");
    },
  });
  const { client } = network.connect();
  for (let i = 0; i < 2; i++) {
    await say(client, "GET http://dead.test/ HTTP/1.1\r\nHost: dead.test\r\n\r\n");
    assertMatch(await hear(client, /\r\n\r\n[^]+\n/), /^HTTP\/1.1 502 /);
  }
  await until(() => errors.length === 2);
});

Deno.test("a hook that throws ends its own connection, and nothing else", async () => {
  const network = await VirtualNetwork.start({
    onTransition: ({ to }) => {
      if (to === "dialing") throw new Error("No such metric");
    },
  });
  const { client, done } = network.connect();
  const other = network.connect();
  await say(client, "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n");
  await assertRejects(() => done, Error, "No such metric");
  await assertRejects(() => client.reader.read());
  assertEquals(network.proxy.connections, 1);
  await say(other.client, "nonsense\r\n\r\n");
  assertMatch(await hearAll(other.client), /^HTTP\/1.1 400 /);
});

Deno.test("an authenticate() that throws is the proxy's failure, not the client's", async () => {
  const errors: string[] = [];
  const log = { error: (message: string) => errors.push(message), warn() {}, info() {}, debug() {} };
  const network = await VirtualNetwork.start({
    log,
    authenticate: () => {
      throw new Error("No such file");
    },
  });
  const { client } = network.connect();
  const credentials = `Proxy-Authorization: Basic ${btoa("ann:secret")}`;
  await say(client, `GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n${credentials}\r\n\r\n`);
  assertMatch(await hearAll(client), /^HTTP\/1.1 500 .*error=proxy_internal_error/s);
  assertEquals(errors, ["No such file"]);
});
