/**
 * The least that a relay costs on Deno: it copies bytes both ways, and looks only at the first one.
 *
 * `deno run -N deno.ts PORT REQUESTS TUNNELS` answers a client that begins with a C, as in CONNECT, and dials TUNNELS
 * for it; for others it dials REQUESTS. Both are ports of 127.0.0.1.
 *
 * @module
 */

/** The lengths of the first and the longest buffer. A full read doubles it; sluice's longest is the same. */
const [LEAST, MOST] = [4 * 1024, 256 * 1024];

const C = "C".charCodeAt(0);
const ESTABLISHED = new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n");

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

async function relay(conn: Deno.TcpConn, requests: number, tunnels: number): Promise<void> {
  using client = conn;
  client.setNoDelay(true);
  const first = new Uint8Array(LEAST);
  const count = await client.read(first);
  if (count === null) return;
  const asks = first[0] === C;
  using origin = await Deno.connect({ hostname: "127.0.0.1", port: asks ? tunnels : requests });
  origin.setNoDelay(true);
  await (asks ? send(client, ESTABLISHED) : send(origin, first.subarray(0, count)));
  await Promise.allSettled([pass(client, origin), pass(origin, client)]);
}

const [port, requests, tunnels] = Deno.args.map(Number);
const listener = Deno.listen({ hostname: "127.0.0.1", port });
while (true) {
  // The load client resets connections that it no longer needs, some before they are accepted.
  const client = await listener.accept().catch(() => undefined);
  if (client) relay(client, requests, tunnels).catch(() => {});
}
