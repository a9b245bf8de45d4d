/**
 * The least that a relay costs on Bun: bytes both ways, and nothing is read but bytes.
 *
 * `bun run bun.ts PORT:ORIGIN…` takes clients on each port, and dials its origin for each of them.
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

/** What a socket knows: its peer, and what was read there and not yet sent here. */
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

const LOOPBACK = { hostname: "127.0.0.1", allowHalfOpen: true } as const;

async function relay(client: BunSocket, port: number): Promise<void> {
  client.data = {};
  client.pause();
  client.data.peer = await Bun.connect({ ...LOOPBACK, port, data: { peer: client }, socket: HANDLERS });
  client.resume();
}

for (const [port, origin] of process.argv.slice(2).map((pair) => pair.split(":").map(Number))) {
  const open = (client: BunSocket) => void relay(client, origin);
  Bun.listen({ ...LOOPBACK, port, socket: { ...HANDLERS, open } });
}
