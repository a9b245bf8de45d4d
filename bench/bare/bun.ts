/**
 * The least that a relay costs on Bun: it copies bytes both ways, and looks only at the first one.
 *
 * `bun run bun.ts PORT REQUESTS TUNNELS [CERT KEY]` dials TUNNELS for a client that begins as CONNECT and SOCKS5 do, and
 * tells it that its tunnel stands; for others it dials REQUESTS. All are ports of 127.0.0.1. With the two files its
 * clients speak TLS.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { GREETING, replyTo, SOCKS5 } from "./replies.ts";

interface BunSocket {
  data: Side;
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  end(): void;
}

/** The data of a socket: its peer, and the bytes from the peer that this socket has yet to send. */
interface Side {
  peer?: BunSocket;
  /** What a client of SOCKS5 is told when its tunnel stands. */
  reply?: Uint8Array;
  rest?: Uint8Array;
}

interface Handlers {
  readonly binaryType: "uint8array";
  open?(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket): void;
}

interface SocketOptions {
  readonly hostname: string;
  readonly port: number;
  readonly allowHalfOpen: true;
  readonly data?: Side;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly socket: Handlers;
}

declare const Bun: {
  listen(options: SocketOptions): void;
  connect(options: SocketOptions): Promise<BunSocket>;
};

const HANDLERS: Handlers = {
  binaryType: "uint8array",
  data(socket, bytes) {
    const peer = socket.data.peer!;
    const sent = peer.write(bytes);
    if (sent === bytes.length) return;
    socket.pause();
    peer.data.rest = bytes.subarray(sent);
  },
  drain(socket) {
    const { peer, rest } = socket.data;
    if (rest === undefined) return;
    const sent = socket.write(rest);
    socket.data.rest = sent < rest.length ? rest.subarray(sent) : undefined;
    if (sent === rest.length) peer?.resume();
  },
  end: (socket) => socket.data.peer?.end(),
  close: (socket) => socket.data.peer?.end(),
};

const [port, requests, tunnels] = process.argv.slice(2).map(Number);
const [cert, key] = process.argv.slice(5).map((path) => readFileSync(path, "utf8"));
const LOOPBACK = { hostname: "127.0.0.1", allowHalfOpen: true } as const;

async function dial(client: BunSocket, first: Uint8Array, reply: Uint8Array | undefined): Promise<void> {
  client.pause();
  const data = { peer: client };
  const origin = await Bun.connect({ ...LOOPBACK, port: reply ? tunnels : requests, data, socket: HANDLERS });
  client.data.peer = origin;
  if (reply) client.write(reply);
  else origin.write(first);
  client.resume();
}

function open(client: BunSocket): void {
  client.data = {};
}

function data(client: BunSocket, bytes: Uint8Array): void {
  const { peer, reply } = client.data;
  if (peer) return HANDLERS.data(client, bytes);
  if (bytes[0] === SOCKS5 && !reply) {
    client.data.reply = replyTo(bytes);
    client.write(GREETING);
  } else {
    dial(client, bytes, reply ?? replyTo(bytes)).catch(() => client.end());
  }
}

Bun.listen({ ...LOOPBACK, port, ...cert ? { tls: { cert, key } } : {}, socket: { ...HANDLERS, open, data } });
