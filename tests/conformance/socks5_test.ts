/**
 * SOCKS5 on the wire (RFC 1928), and the detection of protocols on one port.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { digest, SOCKS5_GREETING, socks5Reply, socks5Request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { ClosedPort, echoOrigin, Origin } from "../support/origin.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";

const suite = new Suite();

/** A client whose greeting was answered: no authentication. */
async function greeted(proxy: ProxyProcess): Promise<RawConnection> {
  const client = await proxy.connect();
  await client.send(SOCKS5_GREETING);
  assertEquals([...await client.read(2)], [5, 0]);
  return client;
}

suite.test("SOCKS5 reaches IPv4 and IPv6 addresses and names, one step at a time", async (proxy) => {
  await using ipv4 = await echoOrigin();
  await using ipv6 = await echoOrigin({ host: "::1" });
  for (
    const [host, port] of [["127.0.0.1", ipv4.port], ["localhost", ipv4.port], ["::1", ipv6.port]] as const
  ) {
    using client = await greeted(proxy);
    await client.send(socks5Request(host, port));
    assertEquals(await socks5Reply(client), 0);
    await client.send(host);
    client.end();
    assertEquals(String(await client.readToEnd()), host);
  }
});

suite.test("greeting, request and the tunnel's first bytes may come in one write", async (proxy) => {
  await using origin = await echoOrigin();
  using client = await proxy.connect();
  await client.send(
    Buffer.concat([SOCKS5_GREETING, socks5Request("localhost", origin.port), Buffer.from("early")]),
  );
  client.end();
  assertEquals([...await client.read(2)], [5, 0]);
  assertEquals(await socks5Reply(client), 0);
  assertEquals(String(await client.readToEnd()), "early");
});

suite.test("what a SOCKS5 client sends may be split anywhere", async (proxy) => {
  await using origin = await echoOrigin();
  const bytes = Buffer.concat([
    Buffer.of(5, 3, 1, 2, 0),
    socks5Request("localhost", origin.port),
    Buffer.from("early"),
  ]);
  for (let split = 0; split <= bytes.length; split++) {
    using client = await proxy.connect();
    if (split === 0) await client.sendSlowly(bytes);
    await client.send(bytes.subarray(0, split));
    if (split > 0) await client.send(bytes.subarray(split));
    client.end();
    assertEquals([...await client.read(2)], [5, 0], `Split at ${split}`);
    assertEquals(await socks5Reply(client), 0);
    assertEquals(String(await client.readToEnd()), "early");
  }
});

suite.test("a greeting without a method that fits gets 05 FF and the close", async (proxy) => {
  await using origin = await Origin.listen();
  for (const greeting of [[5, 0], [5, 1, 2], [5, 1, 1], [5, 2, 1, 0x80], [5, 1, 0xFF]]) {
    using client = await proxy.connect();
    // A client that does not wait gets no further.
    await client.send(Buffer.concat([Buffer.of(...greeting), socks5Request("127.0.0.1", origin.port)]));
    assertEquals([...await client.readToEnd()], [5, 0xFF], `Greeting ${greeting}`);
  }
  assert(await origin.isUntouched());
});

suite.test("a target that refuses is answered with 05, an address, and the close", async (proxy) => {
  await using closed = await ClosedPort.take();
  for (const host of ["127.0.0.1", "localhost"]) {
    using client = await greeted(proxy);
    await client.send(socks5Request(host, closed.port));
    assertEquals([...await client.readToEnd()].slice(0, 4), [5, 5, 0, 1]);
  }
});

suite.test("BIND and unknown commands are answered with 07 and the close", async (proxy) => {
  await using origin = await Origin.listen();
  for (const command of [2, 0, 9, 255]) {
    using client = await greeted(proxy);
    await client.send(socks5Request("127.0.0.1", origin.port, command));
    assertEquals(await socks5Reply(client), 7, `Command ${command}`);
    assertEquals((await client.readToEnd()).length, 0);
  }
  assert(await origin.isUntouched());
});

suite.test("an address type that is not 1, 3 or 4 is answered with 08 and the close", async (proxy) => {
  for (const type of [0, 2, 5, 255]) {
    using client = await greeted(proxy);
    const bytes = socks5Request("127.0.0.1", 80);
    bytes[3] = type;
    await client.send(bytes);
    assertEquals(await socks5Reply(client), 8, `Type ${type}`);
    assertEquals((await client.readToEnd()).length, 0);
  }
});

suite.test("a name that is no host name, or port 0, is refused before anything is dialed", async (proxy) => {
  await using origin = await Origin.listen();
  const names = [
    "",
    "localhost\0",
    "local host",
    "localhost\r\nX: y",
    "user@localhost",
    "[::1]",
    "\xE9",
    "127.0.0.1/",
  ];
  for (const name of names) {
    using client = await greeted(proxy);
    await client.send(socks5Request(name, origin.port));
    assertEquals(await socks5Reply(client), 1, JSON.stringify(name));
    assertEquals((await client.readToEnd()).length, 0);
  }
  using client = await greeted(proxy);
  await client.send(socks5Request("127.0.0.1", 0));
  assertEquals(await socks5Reply(client), 1);
  assert(await origin.isUntouched());
});

suite.test("a version other than 5 behind the greeting gets no tunnel", async (proxy) => {
  await using origin = await Origin.listen();
  for (const version of [1, 4, 0x47]) {
    using client = await greeted(proxy);
    const bytes = socks5Request("127.0.0.1", origin.port);
    bytes[0] = version;
    await client.send(bytes);
    assertEquals([...await client.readToEnd()].slice(0, 2), [5, 1]);
  }
  assert(await origin.isUntouched());
});

suite.test("half-closes go through a SOCKS5 tunnel in both orders", async (proxy) => {
  const bytes = randomBytes(3 * 1024 * 1024);
  for (const first of ["client", "target"]) {
    await using origin = await Origin.listen();
    using client = await greeted(proxy);
    await client.send(socks5Request("127.0.0.1", origin.port));
    assertEquals(await socks5Reply(client), 0);
    using target = await origin.accept();
    const [early, late] = first === "client" ? [client, target] : [target, client];
    await early.send("all I have to say");
    early.end();
    assertEquals(String(await late.readToEnd()), "all I have to say");
    await late.send(bytes);
    late.end();
    assertEquals(digest(await early.readToEnd()), digest(bytes), `The ${first} ended first`);
  }
});

suite.test("a first byte that begins no protocol is answered with the close alone", async (proxy) => {
  const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]/;
  for (let first = 0; first < 256; first++) {
    if ([4, 5, 10, 13].includes(first) || token.test(String.fromCharCode(first))) continue;
    using client = await proxy.connect();
    await client.send(Buffer.of(first, 1, 0, 0));
    await client.ending();
    assertEquals(client.received.length, 0, `First byte ${first}`);
  }
});
