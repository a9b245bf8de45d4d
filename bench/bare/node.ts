/**
 * The least that a relay costs on Node: it copies bytes both ways, and looks only at the first one.
 *
 * `node node.ts PORT REQUESTS TUNNELS` answers a client that begins with a C, as in CONNECT, and dials TUNNELS for it;
 * for others it dials REQUESTS. Both are ports of 127.0.0.1. It reads from an origin into one buffer that it reuses;
 * Node offers that only for connections that it dials.
 *
 * @module
 */

import { createConnection, createServer, type Socket } from "node:net";
import process from "node:process";

/** Bytes of the longest read, as in sluice. */
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

// A mark of 1 byte makes the relay wait for each write: the next read overwrites the buffer that holds the bytes.
createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 1 }, (client) => {
  // The load client resets connections that it no longer needs.
  client.on("error", () => client.destroy());
  client.once("data", (first) => relay(client.pause(), first as Uint8Array));
}).listen(port, "127.0.0.1");
