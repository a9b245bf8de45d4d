/**
 * The least that a relay costs on Node with the sockets of `node:net`: it copies bytes both ways, and looks only at the
 * first one.
 *
 * `node node.ts PORT REQUESTS TUNNELS [CERT KEY]` dials TUNNELS for a client that begins as CONNECT and SOCKS5 do, and tells
 * it that its tunnel stands; for others it dials REQUESTS. All are ports of 127.0.0.1. With the two files its clients
 * speak TLS. It reads from an origin into one buffer that it reuses; Node offers that only for connections that it
 * dials, and it pays only where writes are done at once, so not over TLS.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import process from "node:process";
import { createServer as createTlsServer } from "node:tls";
import { GREETING, replyTo, SOCKS5 } from "./replies.ts";

/** Bytes of the longest read, as in sluice. */
const MOST = 256 * 1024;

const [port, requests, tunnels] = process.argv.slice(2).map(Number);
const [cert, key] = process.argv.slice(5).map((path) => readFileSync(path));

function relay(client: Socket, first: Uint8Array): void {
  const reply = replyTo(first);
  const buffer = new Uint8Array(MOST);
  const callback = (count: number): boolean => {
    client.write(buffer.subarray(0, count));
    const sent = client.writableLength === 0;
    if (!sent) client.once("drain", () => origin.resume());
    return sent;
  };
  const origin = createConnection({
    host: "127.0.0.1",
    port: reply ? tunnels : requests,
    allowHalfOpen: true,
    noDelay: true,
    ...cert ? {} : { onread: { buffer, callback } },
  });
  origin.on("end", () => client.end()).on("error", () => client.destroy());
  client.on("close", () => origin.destroy());
  origin.once("connect", () => {
    if (reply) client.write(reply);
    else origin.write(first);
    client.pipe(origin);
    if (cert) origin.pipe(client, { end: false });
  });
}

function accept(client: Socket): void {
  // The load client resets connections that it no longer needs.
  client.on("error", () => client.destroy());
  client.once("data", (bytes) => {
    const first = bytes as Uint8Array;
    if (first[0] !== SOCKS5) return relay(client.pause(), first);
    client.write(GREETING);
    client.once("data", () => relay(client.pause(), first));
  });
}

// A mark of 1 byte makes the relay wait for each write: the next read overwrites the buffer that holds the bytes.
const options = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 };
const server = cert ? createTlsServer({ ...options, cert, key }, accept) : createServer(options, accept);
server.on("tlsClientError", () => {}).listen(port, "127.0.0.1");
