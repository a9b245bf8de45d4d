/**
 * The other end of every socket in the contract suite. It is a program of its own that Deno always runs, so that the
 * runtime under test never talks to itself.
 *
 * Commands are JSON lines on stdin, `{ id, name, args }`. Each is answered on stdout, with `{ id, result }` or
 * `{ id, error }`. Commands run side by side. Sockets are `node:net` ones because those can send a true RST
 * (`resetAndDestroy`), and they stay paused, so that the kernel buffers fill while nobody receives.
 *
 * @module
 */

import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Address, UnixAddress } from "../../src/runtime/contract.ts";
import { Pattern, Tally } from "./pattern.ts";
import { standstill } from "../support/waiting.ts";

/** How a transfer ended, and how much was transferred. */
export interface Transfer {
  readonly bytes: number;
  readonly hash: string;
  /** `open` if everything that was asked for is done, `fin` at the other side's FIN, otherwise the system's code. */
  readonly end: string;
}

/** A connection of the peer. */
export interface PeerSocket {
  readonly id: number;
  readonly local: Address;
  readonly remote: Address;
}

const CHUNK = 65536;

class Connection {
  readonly socket: Socket;
  /** Why the connection is gone: `closed` after an orderly end, otherwise the system's error code. */
  failure: string | undefined;
  /** Bytes that the kernel has taken from us. */
  sent = 0;
  #received = new Tally();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", (error: NodeJS.ErrnoException) => this.failure = error.code ?? error.message);
    socket.on("close", () => this.failure ??= "closed");
  }

  async send(length: number): Promise<Transfer> {
    const pattern = new Pattern();
    while (pattern.tally.bytes < length && this.failure === undefined) {
      const chunk = pattern.next(Math.min(CHUNK, length - pattern.tally.bytes));
      await new Promise<void>((resolve) => {
        this.socket.once("close", resolve);
        this.socket.write(chunk, () => {
          this.socket.off("close", resolve);
          resolve();
        });
      });
      if (this.failure === undefined) this.sent += chunk.length;
    }
    return { ...pattern.tally.result(), end: this.failure ?? "open" };
  }

  /** Receives until there are `length` bytes in all, or until the end. */
  async receive(length = Infinity): Promise<Transfer> {
    const tally = this.#received;
    while (tally.bytes < length) {
      const chunk: Uint8Array | null = this.socket.read(
        Math.min(length - tally.bytes, this.socket.readableLength),
      );
      if (chunk !== null) {
        tally.add(chunk);
      } else if (this.socket.readableEnded) {
        return { ...tally.result(), end: this.failure === "closed" ? "fin" : this.failure ?? "fin" };
      } else if (this.failure !== undefined) {
        return { ...tally.result(), end: this.failure };
      } else {
        await this.#readable();
      }
    }
    return { ...tally.result(), end: "open" };
  }

  #readable(): Promise<void> {
    const { socket } = this;
    return new Promise((resolve) => {
      function settle(): void {
        for (const event of ["readable", "end", "close"]) socket.off(event, settle);
        resolve();
      }
      for (const event of ["readable", "end", "close"]) socket.on(event, settle);
      socket.read(0);
    });
  }
}

class Peer {
  #connections = new Map<number, Connection>();
  #servers = new Map<
    number,
    { server: Server; waiting: Socket[]; accepters: ((socket: Socket) => void)[] }
  >();
  #crowd: Socket[] = [];
  #id = 0;

  #adopt(socket: Socket): PeerSocket {
    const id = ++this.#id;
    this.#connections.set(id, new Connection(socket));
    return {
      id,
      local: { host: socket.localAddress ?? "", port: socket.localPort ?? 0 },
      remote: { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 },
    };
  }

  #connection({ id }: { id: number }): Connection {
    const connection = this.#connections.get(id);
    if (connection === undefined) throw new Error(`No connection ${id}`);
    return connection;
  }

  /** Listens. With `echo`, sends every client back what it sends, and a FIN for its FIN. */
  async listen(
    { address, echo }: { address: Address; echo?: boolean },
  ): Promise<{ id: number; address: Address }> {
    const id = ++this.#id;
    const waiting: Socket[] = [];
    const accepters: ((socket: Socket) => void)[] = [];
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: !echo }, (socket) => {
      if (echo) {
        socket.on("error", () => socket.destroy());
        socket.pipe(socket);
        return;
      }
      const accepter = accepters.shift();
      if (accepter === undefined) waiting.push(socket);
      else accepter(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ ...address, backlog: 1024 }, resolve);
    });
    this.#servers.set(id, { server, waiting, accepters });
    const bound = server.address();
    if (bound === null || typeof bound === "string") return { id, address };
    const { address: host, port } = bound as AddressInfo;
    return { id, address: { host, port } };
  }

  async accept({ id }: { id: number }): Promise<PeerSocket> {
    const { waiting, accepters } = this.#servers.get(id)!;
    return this.#adopt(waiting.shift() ?? await new Promise((resolve) => accepters.push(resolve)));
  }

  unlisten({ id }: { id: number }): void {
    this.#servers.get(id)?.server.close();
    this.#servers.delete(id);
  }

  async dial({ address }: { address: Address }): Promise<PeerSocket> {
    const socket = createConnection({ ...address, allowHalfOpen: true });
    socket.pause();
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve();
      });
    });
    return this.#adopt(socket);
  }

  send({ id, bytes }: { id: number; bytes: number }): Promise<Transfer> {
    return this.#connection({ id }).send(bytes);
  }

  sent({ id }: { id: number }): number {
    return this.#connection({ id }).sent;
  }

  receive({ id, bytes }: { id: number; bytes?: number }): Promise<Transfer> {
    return this.#connection({ id }).receive(bytes);
  }

  fin({ id }: { id: number }): Promise<void> {
    return new Promise((resolve) => this.#connection({ id }).socket.end(() => resolve()));
  }

  /**
   * Sends RST on TCP. A Unix socket is reset by closing it while bytes wait to be read, so leave a byte unread there.
   */
  reset({ id }: { id: number }): void {
    this.#connection({ id }).socket.resetAndDestroy();
  }

  destroy({ id }: { id: number }): void {
    this.#connection({ id }).socket.destroy();
    this.#connections.delete(id);
  }

  /**
   * Dials `count` times, `batch` at once. Each connection sends one byte, waits for it to come back, then sends FIN
   * both ways.
   */
  async storm(
    { address, count, batch }: { address: Address; count: number; batch: number },
  ): Promise<number> {
    let served = 0;
    let left = count;
    async function visitor(): Promise<void> {
      while (left-- > 0) {
        if (await visitOnce(address) === 1) served++;
      }
    }
    await Promise.all(Array.from({ length: batch }, visitor));
    return served;
  }

  /** Dials `count` times, one after the other; sends a few bytes each time, then RST. Returns how many it sent. */
  async vanish({ address, count }: { address: Address; count: number }): Promise<number> {
    for (let i = 0; i < count; i++) {
      const connection = this.#connection(await this.dial({ address }));
      await connection.send(10);
      connection.socket.resetAndDestroy();
    }
    return count;
  }

  /** Listens, accepts nobody and fills its queue, so that the next dial has to wait. */
  async stall(): Promise<Address> {
    const { addr } = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { hostname: host, port } = addr as Deno.NetAddr;
    await this.crowd({ address: { host, port }, count: 8, enough: 2 });
    return { host, port };
  }

  /** Leaves the file of a Unix socket on which nobody listens. */
  abandon({ address }: { address: Address }): void {
    const { path } = address as UnixAddress;
    const listener = Deno.listen({ transport: "unix", path: `${path}.old` });
    // Deno removes the file of a listener when it closes the listener.
    Deno.renameSync(`${path}.old`, path);
    listener.close();
  }

  /** How many bytes the kernel takes from one end of a Unix connection if nobody reads at the other. */
  async capacity({ address }: { address: Address }): Promise<number> {
    const { id } = await this.listen({ address });
    const sender = this.#connection(await this.dial({ address }));
    const other = this.#connection(await this.accept({ id }));
    this.unlisten({ id });
    const sending = sender.send(64 * CHUNK);
    const capacity = await standstill(() => sender.sent);
    other.socket.destroy();
    await sending;
    return capacity;
  }

  /** Starts `count` clients at once and holds them. Settles when `enough` of them are connected. */
  crowd({ address, count, enough }: { address: Address; count: number; enough: number }): Promise<void> {
    return new Promise((resolve) => {
      let connected = 0;
      for (let i = 0; i < count; i++) {
        const socket = createConnection({ ...address });
        socket.on("error", () => {});
        socket.on("connect", () => ++connected === enough && resolve());
        socket.pause();
        this.#crowd.push(socket);
      }
    });
  }

  disperse(): void {
    for (const socket of this.#crowd.splice(0)) socket.destroy();
  }

  visit({ address }: { address: Address }): Promise<number> {
    return visitOnce(address);
  }
}

/** Sends one byte there and back and a FIN each way. Returns 1 if all of it worked, otherwise 0. */
function visitOnce(address: Address): Promise<number> {
  return new Promise((resolve) => {
    let echoed = 0;
    let ended = 0;
    const socket = createConnection({ ...address, allowHalfOpen: true }, () => socket.write("x"));
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      echoed += chunk.length;
      socket.end();
    });
    socket.on("end", () => ended++);
    socket.on("close", () => resolve(echoed === 1 && ended === 1 ? 1 : 0));
  });
}

const peer = new Peer();

type Command = (args: never) => unknown;

async function answer(line: string): Promise<void> {
  const { id, name, args } = JSON.parse(line);
  try {
    const command = (peer as unknown as Record<string, Command>)[name];
    const result = await command.call(peer, args as never);
    process.stdout.write(JSON.stringify({ id, result }) + "\n");
  } catch (error) {
    process.stdout.write(JSON.stringify({ id, error: String((error as Error).stack) }) + "\n");
  }
}

createInterface({ input: process.stdin }).on("line", answer).on("close", () => process.exit());
