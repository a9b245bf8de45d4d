/**
 * Peers that take nothing of what waits for them: as far as can be told, they have vanished.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { request, tunnel } from "./exchanges.ts";
import { Suite } from "./suite.ts";
import { Origin } from "../support/origin.ts";
import type { RawConnection } from "../support/raw_client.ts";

const STALL_TIMEOUT = 1_000;

/** The idle deadline is beyond the patience of a test, so that it cannot be what ends anything here. */
const suite = new Suite({ flags: ["--stall-timeout", `${STALL_TIMEOUT}ms`, "--idle-timeout", "1m"] });

/** More than the buffers of both connections hold on loopback. */
const MUCH = Buffer.alloc(32 * 1024 * 1024, "x");

suite.test("a tunnel is cut whose reader takes nothing while bytes wait for it, in either direction", async (proxy) => {
  for (const stopped of ["client", "target"]) {
    await using origin = await Origin.listen();
    using client = await tunnel(proxy, origin.authority);
    using target = await origin.accept();
    const [reader, writer] = stopped === "client" ? [client, target] : [target, client];
    reader.pause();
    await writer.send(MUCH);
    await writer.ending();
    const { fault, ending } = await proxy.record(origin.authority, client);
    const expected = stopped === "client" ? "client_timeout" : "connection_write_timeout";
    assertEquals([fault, ending], [expected, "timed_out"]);
  }
});

suite.test("a response is cut that the client takes nothing of, and an upload that the origin takes nothing of is 504", async (proxy) => {
  await using origin = await Origin.listen();
  const uri = `http://${origin.authority}/`;
  const length = `Content-Length: ${MUCH.length}`;
  {
    using client = await proxy.connect();
    await client.send(request("GET", `${uri}down`));
    using target = await origin.accept();
    await target.readUntil("\r\n\r\n");
    client.pause();
    await target.send(`HTTP/1.1 200 OK\r\n${length}\r\n\r\n`);
    await target.send(MUCH);
    await target.ending();
    assertEquals((await proxy.record("/down", client)).fault, "client_timeout");
  }
  using client = await proxy.connect();
  const sent = client.send(request("PUT", `${uri}up`, length)).then(() => client.send(MUCH));
  using target = await origin.accept();
  target.pause();
  assertEquals((await client.message()).status, 504);
  await sent;
  const { fault, status } = await proxy.record("/up", client);
  assertEquals([fault, status], ["connection_write_timeout", 504]);
});

/** Takes some bytes now and then, for several times as long as one may take none. */
async function sip(reader: RawConnection): Promise<void> {
  for (let i = 0; i < 12; i++) {
    reader.pause();
    await new Promise((resolve) => setTimeout(resolve, STALL_TIMEOUT / 4));
    reader.resume();
    // The system says that there is room once a third of its buffer is free.
    await reader.read(2 * 1024 * 1024);
  }
}

suite.test("a reader that takes some bytes now and then gets all of them", async (proxy) => {
  await using origin = await Origin.listen();
  using client = await tunnel(proxy, origin.authority);
  using target = await origin.accept();
  const sent = target.send(MUCH);
  await sip(client);
  await client.read(MUCH.length - 12 * 2 * 1024 * 1024);
  await sent;
});
