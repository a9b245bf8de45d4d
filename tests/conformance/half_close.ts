/**
 * One side of a tunnel has said all it wanted, and the other goes on.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { randomBytes } from "node:crypto";
import { digest, socks4Request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { Origin } from "../support/origin.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";

const MIB = 1024 * 1024;

/** A tunnel through a proxy to an origin, from each protocol. */
export const TUNNELS: Readonly<
  Record<string, (proxy: ProxyProcess, origin: Origin) => Promise<RawConnection>>
> = {
  "CONNECT": (proxy, { authority }) => tunnel(proxy, authority),
  "SOCKS4": async (proxy, { port }) => {
    const client = await proxy.connect();
    await client.send(socks4Request("127.0.0.1", port));
    assertEquals((await client.read(8))[1], 0x5A);
    return client;
  },
  "SOCKS5": async (proxy, { port }) => {
    const client = await proxy.connect();
    await client.send(Uint8Array.of(...SOCKS5_GREETING, ...socks5Request("127.0.0.1", port)));
    await client.read(2);
    assertEquals(await socks5Reply(client), 0);
    return client;
  },
};

/** The client's FIN comes first, and 3 MiB come down behind it. */
export async function assertClientMayEndFirst(proxy: ProxyProcess): Promise<void> {
  await using origin = await Origin.listen();
  const down = randomBytes(3 * MIB);
  for (const [protocol, open] of Object.entries(TUNNELS)) {
    using client = await open(proxy, origin);
    using target = await origin.accept();
    await client.send("request");
    client.end();
    assertEquals((await target.readToEnd()).toString(), "request", protocol);
    // The client reads meanwhile: the kernel has no room for all of it.
    const [received] = await Promise.all([client.readToEnd(), target.send(down).then(() => target.end())]);
    assertEquals(digest(received), digest(down), protocol);
  }
}

/** The origin's FIN comes first, and 2 MiB go up behind it. */
export async function assertOriginMayEndFirst(proxy: ProxyProcess): Promise<void> {
  await using origin = await Origin.listen();
  const up = randomBytes(2 * MIB);
  for (const [protocol, open] of Object.entries(TUNNELS)) {
    using client = await open(proxy, origin);
    using target = await origin.accept();
    await target.send("response");
    target.end();
    assertEquals((await client.readToEnd()).toString(), "response", protocol);
    const [received] = await Promise.all([target.readToEnd(), client.send(up).then(() => client.end())]);
    assertEquals(digest(received), digest(up), protocol);
  }
}
