/**
 * The least that a relay costs on Node without the sockets of `node:net`: on the handles below them, which are not
 * documented.
 *
 * `node node_handles.ts PORT REQUESTS TUNNELS` does what `node.ts` does, without TLS.
 *
 * @module
 */

import process from "node:process";
import { GREETING, replyTo, SOCKS5 } from "./replies.ts";

/** Bytes of the longest read. Each handle has a buffer of its own, since a write may still need it. */
const MOST = 64 * 1024;

interface Handle {
  onread: (this: Handle) => void;
  useUserBuffer(buffer: Uint8Array): void;
  setNoDelay(on: boolean): void;
  readStart(): void;
  readStop(): void;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
  connect(request: Request, host: string, port: number): number;
  close(): void;
  // Ours:
  buffer: Uint8Array;
  peer?: Handle;
  ended?: boolean;
  closed?: boolean;
}

interface Request {
  oncomplete?: (status: number) => void;
}

interface Server {
  onconnection: (status: number, client: Handle) => void;
  bind(host: string, port: number): number;
  listen(backlog: number): number;
}

type Constructor<T> = new (...args: number[]) => T;

const { binding } = process as unknown as {
  binding(name: "tcp_wrap"): {
    TCP: Constructor<Server & Handle>;
    TCPConnectWrap: Constructor<Request>;
    constants: { SOCKET: number; SERVER: number };
  };
  binding(name: "stream_wrap"): {
    WriteWrap: Constructor<Request>;
    ShutdownWrap: Constructor<Request>;
    streamBaseState: Int32Array;
    kReadBytesOrError: number;
    kLastWriteWasAsync: number;
  };
};
const { TCP, TCPConnectWrap, constants } = binding("tcp_wrap");
const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = binding(
  "stream_wrap",
);

const [port, requests, tunnels] = process.argv.slice(2).map(Number);

function prepare(handle: Handle, onread: Handle["onread"]): void {
  handle.setNoDelay(true);
  handle.buffer = Buffer.allocUnsafeSlow(MOST);
  handle.useUserBuffer(handle.buffer);
  handle.onread = onread;
}

function close(handle: Handle): void {
  for (const end of [handle, handle.peer]) {
    if (end && !end.closed) end.close();
    if (end) end.closed = true;
  }
}

/** The bytes that came, or nothing, once the handle has ended. */
function received(handle: Handle): Uint8Array | undefined {
  const count = streamBaseState[kReadBytesOrError];
  return count >= 0 ? handle.buffer.subarray(0, count) : undefined;
}

let spare = new WriteWrap();

/** Writes, and reads no more from `from` until that is done. */
function send(to: Handle, bytes: Uint8Array, from?: Handle): void {
  const request = spare;
  if (to.writeBuffer(request, bytes) !== 0) return close(to);
  if (streamBaseState[kLastWriteWasAsync] === 0) return;
  spare = new WriteWrap();
  from?.readStop();
  request.oncomplete = () => {
    if (from && !from.closed) from.readStart();
  };
}

function pass(this: Handle): void {
  const bytes = received(this);
  const peer = this.peer!;
  if (this.closed || bytes?.length === 0) return;
  if (bytes) return send(peer, bytes, this);
  this.ended = true;
  if (peer.ended || peer.shutdown(new ShutdownWrap()) !== 0) close(this);
}

function relay(client: Handle, reply: Uint8Array | undefined, first: Uint8Array): void {
  client.readStop();
  const origin = new TCP(constants.SOCKET);
  client.peer = origin;
  origin.peer = client;
  const dial = new TCPConnectWrap();
  dial.oncomplete = (status) => {
    if (status !== 0) return close(client);
    prepare(origin, pass);
    client.onread = pass;
    if (reply) send(client, reply);
    else send(origin, first);
    client.readStart();
    origin.readStart();
  };
  if (origin.connect(dial, "127.0.0.1", reply ? tunnels : requests) !== 0) close(client);
}

function begin(this: Handle): void {
  const first = received(this);
  if (!first) return close(this);
  const reply = replyTo(first);
  if (first[0] !== SOCKS5) return relay(this, reply, first.slice());
  send(this, GREETING);
  this.onread = () => received(this) ? relay(this, reply, first) : close(this);
}

const server = new TCP(constants.SERVER);
server.onconnection = (status, client) => {
  if (status !== 0) return;
  prepare(client, begin);
  client.readStart();
};
server.bind("127.0.0.1", port);
server.listen(511);
