/**
 * The least that a relay costs on Node: bytes both ways, and nothing is looked at but the first of them.
 *
 * `node node.ts PORT REQUESTS TUNNELS` dials one of two origins for each client, by whether it begins with a C as in
 * CONNECT, and answers that; both are ports of 127.0.0.1. What comes from an origin is read into a buffer that is
 * kept; Node offers that to the side that dials alone.
 *
 * @module
 */

import { createConnection, createServer, type Socket } from "node:net";
import process from "node:process";

/** As long as those of sluice. */
const MOST = 256 * 1024;

const C = "C".charCodeAt(0);
const [port, requests, tunnels] = process.argv.slice(2).map(Number);

function relay(client: Socket, first: Uint8Array): void {
  const asks = first[0] === C;
  const buffer = new Uint8Array(MOST);
  const callback = (count: number): boolean => {
    client.write(buffer.subarray(0, count));
    const sent = client.writableLength === 0;
    if (!sent) client.once("drain", () => origin.resume());
    return sent;
  };
  const origin = createConnection({
    host: "127.0.0.1",
    port: asks ? tunnels : requests,
    allowHalfOpen: true,
    noDelay: true,
    onread: { buffer, callback },
  });
  origin.on("end", () => client.end()).on("error", () => client.destroy());
  client.on("close", () => origin.destroy());
  origin.once("connect", () => {
    if (asks) client.write("HTTP/1.1 200 OK\r\n\r\n");
    else origin.write(first);
    client.pipe(origin);
  });
}

// Whatever waits to be sent is waited for, since the buffer holds it.
createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 1 }, (client) => {
  // The load client resets what it leaves behind.
  client.on("error", () => client.destroy());
  client.once("data", (first) => relay(client.pause(), first as Uint8Array));
}).listen(port, "127.0.0.1");
