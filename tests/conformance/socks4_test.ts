/**
 * SOCKS4 and SOCKS4A on the wire.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { randomBytes } from "node:crypto";
import { digest, socks4Request } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { ClosedPort, echoOrigin, Origin } from "../support/origin.ts";
import type { RawConnection } from "../support/raw_client.ts";

const suite = new Suite();

const GRANTED = 0x5A;
const REJECTED = 0x5B;

/** VN is checked; DSTPORT and DSTIP say nothing that matters. */
async function reply(client: RawConnection): Promise<number> {
  const [version, code] = await client.read(8);
  assertEquals(version, 0);
  return code;
}

suite.test("SOCKS4 reaches an address and SOCKS4A a name", async (proxy) => {
  await using origin = await echoOrigin();
  for (
    const [host, userId] of [["127.0.0.1", ""], ["127.0.0.1", "somebody"], ["localhost", ""], [
      "localhost",
      "me",
    ]]
  ) {
    using client = await proxy.connect();
    await client.send(socks4Request(host, origin.port, userId));
    assertEquals(await reply(client), GRANTED);
    await client.send(host);
    client.end();
    assertEquals(String(await client.readToEnd()), host);
  }
});

suite.test("a SOCKS4 request may be split anywhere, with the tunnel's first bytes behind it", async (proxy) => {
  await using origin = await echoOrigin();
  for (const host of ["127.0.0.1", "localhost"]) {
    const bytes = socks4Request(host, origin.port, "me");
    for (let split = 0; split <= bytes.length; split++) {
      using client = await proxy.connect();
      await client.send(bytes.subarray(0, split));
      await client.send(`${bytes.toString("latin1", split)}early`);
      client.end();
      assertEquals(await reply(client), GRANTED, `Split at ${split}`);
      assertEquals(String(await client.readToEnd()), "early");
    }
    using client = await proxy.connect();
    await client.sendSlowly(`${bytes.toString("latin1")}early`);
    client.end();
    assertEquals(await reply(client), GRANTED);
    assertEquals(String(await client.readToEnd()), "early");
  }
});

suite.test("a target that refuses is answered with 5B and the close", async (proxy) => {
  await using closed = await ClosedPort.take();
  for (const host of ["127.0.0.1", "localhost"]) {
    using client = await proxy.connect();
    await client.send(socks4Request(host, closed.port));
    assertEquals(await reply(client), REJECTED);
    assertEquals((await client.readToEnd()).length, 0);
  }
});

suite.test("BIND, unknown commands and port 0 are answered with 5B and the close", async (proxy) => {
  await using origin = await Origin.listen();
  const bind = socks4Request("127.0.0.1", origin.port);
  bind[1] = 2;
  const unknown = socks4Request("127.0.0.1", origin.port);
  unknown[1] = 9;
  for (const bytes of [bind, unknown, socks4Request("127.0.0.1", 0)]) {
    using client = await proxy.connect();
    await client.send(bytes);
    assertEquals(await reply(client), REJECTED);
    assertEquals((await client.readToEnd()).length, 0);
  }
  assert(await origin.isUntouched());
});

suite.test("a user id or name of more than 255 bytes is not waited for", async (proxy) => {
  const endless = "x".repeat(300);
  for (
    const bytes of [
      `\x04\x01\x00\x50\x7F\x00\x00\x01${endless}`,
      `\x04\x01\x00\x50\x00\x00\x00\x01me\0${endless}`,
    ]
  ) {
    using client = await proxy.connect();
    await client.send(bytes);
    assertEquals([...await client.readToEnd()].slice(0, 2), [0, REJECTED]);
  }
});

suite.test("a name with what no host name can have is refused", async (proxy) => {
  await using origin = await Origin.listen();
  for (
    const name of [
      "local host",
      "localhost\r\nX: y",
      "local%68ost",
      "user@localhost",
      "localhost/",
      "[::1]",
      "\xE9",
    ]
  ) {
    using client = await proxy.connect();
    await client.send(socks4Request(name, origin.port));
    assertEquals(await reply(client), REJECTED, name);
    assertEquals((await client.readToEnd()).length, 0);
  }
  assert(await origin.isUntouched());
});

suite.test("half-closes go through a SOCKS4 tunnel in both orders", async (proxy) => {
  const bytes = randomBytes(3 * 1024 * 1024);
  for (const first of ["client", "target"]) {
    await using origin = await Origin.listen();
    using client = await proxy.connect();
    await client.send(socks4Request("127.0.0.1", origin.port));
    assertEquals(await reply(client), GRANTED);
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
