/**
 * The least that a relay costs on Bun: it copies bytes both ways, and looks only at the first one.
 *
 * `bun run bun.ts PORT REQUESTS TUNNELS` answers a client that begins with a C, as in CONNECT, and dials TUNNELS for
 * it; for others it dials REQUESTS. Both are ports of 127.0.0.1.
 *
 * @module
 */

import process from "node:process";

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

const C = "C".charCodeAt(0);
const ESTABLISHED = new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n");

const [port, requests, tunnels] = process.argv.slice(2).map(Number);
const LOOPBACK = { hostname: "127.0.0.1", allowHalfOpen: true } as const;

async function dial(client: BunSocket, first: Uint8Array): Promise<void> {
  client.pause();
  const asks = first[0] === C;
  const data = { peer: client };
  const origin = await Bun.connect({ ...LOOPBACK, port: asks ? tunnels : requests, data, socket: HANDLERS });
  client.data.peer = origin;
  if (asks) client.write(ESTABLISHED);
  else origin.write(first);
  client.resume();
}

function open(client: BunSocket): void {
  client.data = {};
}

function data(client: BunSocket, bytes: Uint8Array): void {
  if (client.data.peer) HANDLERS.data(client, bytes);
  else dial(client, bytes).catch(() => client.end());
}

Bun.listen({ ...LOOPBACK, port, socket: { ...HANDLERS, open, data } });
