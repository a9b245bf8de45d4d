/**
 * The least that a relay costs on Deno: it copies bytes both ways, and looks only at the first one.
 *
 * `deno run -N -R deno.ts PORT REQUESTS TUNNELS [CERT KEY]` dials TUNNELS for a client that begins as CONNECT and SOCKS5 do,
 * and tells it that its tunnel stands; for others it dials REQUESTS. All are ports of 127.0.0.1. With the two files its
 * clients speak TLS.
 *
 * @module
 */

import { GREETING, replyTo, SOCKS5 } from "./replies.ts";

/** The lengths of the first and the longest buffer. A full read doubles it; sluice's longest is the same. */
const [LEAST, MOST] = [4 * 1024, 256 * 1024];

async function send(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  let buffer = new Uint8Array(LEAST);
  while (true) {
    const count = await from.read(buffer);
    if (count === null) return to.closeWrite();
    await send(to, buffer.subarray(0, count));
    if (count === buffer.length && count < MOST) buffer = new Uint8Array(2 * count);
  }
}

async function relay(conn: Deno.TcpConn | Deno.TlsConn, requests: number, tunnels: number): Promise<void> {
  using client = conn;
  if ("setNoDelay" in client) client.setNoDelay(true);
  const first = new Uint8Array(LEAST);
  const count = await client.read(first);
  if (count === null) return;
  const reply = replyTo(first);
  if (first[0] === SOCKS5) {
    await send(client, GREETING);
    if (await client.read(first) === null) return;
  }
  using origin = await Deno.connect({ hostname: "127.0.0.1", port: reply ? tunnels : requests });
  origin.setNoDelay(true);
  await (reply ? send(client, reply) : send(origin, first.subarray(0, count)));
  await Promise.allSettled([pass(client, origin), pass(origin, client)]);
}

const [port, requests, tunnels] = Deno.args.map(Number);
const [cert, key] = Deno.args.slice(3).map((path) => Deno.readTextFileSync(path));
const address = { hostname: "127.0.0.1", port };
const listener = cert ? Deno.listenTls({ ...address, cert, key }) : Deno.listen(address);
while (true) {
  // The load client resets connections that it no longer needs, some before they are accepted.
  const client = await listener.accept().catch(() => undefined);
  if (client) relay(client, requests, tunnels).catch(() => {});
}
