/**
 * The least that a relay costs on Node: bytes both ways, and nothing is read but bytes.
 *
 * `node node.ts PORT:ORIGIN…` takes clients on each port, and dials its origin for each of them. What comes from
 * an origin is read into a buffer that is kept; Node offers that to the side that dials alone.
 *
 * @module
 */

import { createConnection, createServer, type Socket } from "node:net";
import process from "node:process";

/** As long as those of sluice. */
const MOST = 256 * 1024;

function relay(client: Socket, port: number): void {
  const buffer = new Uint8Array(MOST);
  const callback = (count: number): boolean => {
    client.write(buffer.subarray(0, count));
    const sent = client.writableLength === 0;
    if (!sent) client.once("drain", () => origin.resume());
    return sent;
  };
  const onread = { buffer, callback };
  const origin = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true, onread });
  origin.on("end", () => client.end()).on("error", () => client.destroy());
  client.on("error", () => origin.destroy()).pipe(origin);
}

// Whatever waits to be sent is waited for, since the buffer holds it.
const OPTIONS = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 };

for (const [port, origin] of process.argv.slice(2).map((pair) => pair.split(":").map(Number))) {
  createServer(OPTIONS, (client) => relay(client, origin)).listen(port, "127.0.0.1");
}
