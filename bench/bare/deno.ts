/**
 * The least that a relay costs on Deno: bytes both ways, and nothing is read but bytes.
 *
 * `deno run -N deno.ts PORT:ORIGIN…` takes clients on each port, and dials its origin for each of them.
 *
 * @module
 */

/** A read is as long as the last one was full; the longest are as long as those of sluice. */
const [LEAST, MOST] = [4 * 1024, 256 * 1024];

async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  let buffer = new Uint8Array(LEAST);
  while (true) {
    const count = await from.read(buffer);
    if (count === null) return to.closeWrite();
    for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
    if (count === buffer.length && count < MOST) buffer = new Uint8Array(2 * count);
  }
}

async function relay(client: Deno.TcpConn, port: number): Promise<void> {
  const origin = await Deno.connect({ hostname: "127.0.0.1", port });
  for (const connection of [client, origin]) connection.setNoDelay(true);
  await Promise.allSettled([pass(client, origin), pass(origin, client)]);
  for (const connection of [client, origin]) connection.close();
}

async function serve(listener: Deno.TcpListener, origin: number): Promise<void> {
  for await (const client of listener) relay(client, origin);
}

for (const [port, origin] of Deno.args.map((pair) => pair.split(":").map(Number))) {
  serve(Deno.listen({ hostname: "127.0.0.1", port }), origin);
}
