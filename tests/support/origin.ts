/**
 * Servers for the proxy to reach: on loopback, on free ports, with every step scripted by the test.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Address } from "../../src/runtime/contract.ts";
import type { HttpMessage } from "./http_message.ts";
import { Arrivals } from "./condition.ts";
import { type Bytes, connect, RawConnection } from "./raw_client.ts";

/** The script for each connection of a server. */
export type Serve = (connection: RawConnection) => Promise<void>;

/** A listening server. Without a script, its connections wait for {@linkcode Origin.accept}. */
export class Origin implements AsyncDisposable {
  readonly address: Address;
  readonly #server: Server;
  readonly #connections = new Arrivals<RawConnection>("a connection to the origin");

  private constructor(server: Server, address: Address, serve?: Serve) {
    this.#server = server;
    this.address = address;
    server.on("connection", (socket) => {
      const connection = new RawConnection(socket);
      this.#connections.push(connection);
      // If a script fails, its client waits in vain, and the test fails there.
      serve?.(connection).catch(() => {}).finally(() => connection[Symbol.dispose]());
    });
  }

  /** Listens on a free port of an address, or on the path of a Unix socket. */
  static async listen(
    serve?: Serve,
    on: { host: string } | { path: string } = { host: "127.0.0.1" },
  ): Promise<Origin> {
    const server = createServer({ allowHalfOpen: true });
    server.listen("path" in on ? on : { ...on, port: 0, backlog: 1024 });
    await once(server, "listening");
    const address = "path" in on ? on : { ...on, port: (server.address() as AddressInfo).port };
    return new Origin(server, address, serve);
  }

  /** The TCP port. */
  get port(): number {
    return "port" in this.address ? this.address.port : 0;
  }

  /** `HOST:PORT`, as in a URI. */
  get authority(): string {
    const { address } = this;
    if ("path" in address) throw new TypeError("A Unix socket has no authority");
    return address.host.includes(":")
      ? `[${address.host}]:${address.port}`
      : `${address.host}:${address.port}`;
  }

  /** The next connection. */
  accept(): Promise<RawConnection> {
    return this.#connections.next();
  }

  /**
   * Whether nobody has connected since the last {@linkcode Origin.accept}. To find out, it connects itself, and checks
   * that its own connection is the next.
   */
  async isUntouched(): Promise<boolean> {
    using probe = await connect(this.address);
    return (await this.accept()).remotePort === probe.localPort;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections.all) connection[Symbol.dispose]();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Answers one request with the text of a whole response. */
export type Respond = (request: HttpMessage) => Bytes;

/** An HTTP server with persistent connections. */
export function httpOrigin(respond: Respond = respondOk): Promise<Origin> {
  return Origin.listen(async (connection) => {
    while (true) await connection.send(respond(await connection.message()));
  });
}

function respondOk(): Buffer {
  return response("ok");
}

/** A 200 with a length. */
export function response(body: Bytes, ...fields: string[]): Buffer {
  const bytes = typeof body === "string" ? Buffer.from(body, "latin1") : body;
  const head = ["HTTP/1.1 200 OK", `Content-Length: ${bytes.length}`, ...fields, "", ""].join("\r\n");
  return Buffer.concat([Buffer.from(head, "latin1"), bytes]);
}

/** A server that sends back what it gets, and FIN for FIN. */
export function echoOrigin(on?: { host: string } | { path: string }): Promise<Origin> {
  return Origin.listen(async (connection) => {
    // It reads until the FIN, because each test sends only so much.
    await connection.send(await connection.readToEnd());
    connection.end();
    await connection.ending();
  }, on);
}

/** A port of 127.0.0.1 on which nothing listens. It is the client end of a connection, so nothing else can take it. */
export class ClosedPort implements AsyncDisposable {
  readonly port: number;
  readonly #holder: RawConnection;
  readonly #listener: Origin;

  private constructor(holder: RawConnection, listener: Origin) {
    this.port = holder.localPort;
    this.#holder = holder;
    this.#listener = listener;
  }

  /** Takes such a port. */
  static async take(): Promise<ClosedPort> {
    const listener = await Origin.listen();
    return new ClosedPort(await connect(listener.address), listener);
  }

  /** `HOST:PORT`. */
  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder[Symbol.dispose]();
    await this.#listener[Symbol.asyncDispose]();
  }
}

/**
 * A port of 127.0.0.1 that neither accepts nor refuses: its queue is full, so the kernel drops further clients.
 * `node:net` would accept by itself.
 */
export class BlackHole implements Disposable {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #queue: Deno.TcpConn[];

  private constructor(listener: Deno.TcpListener, queue: Deno.TcpConn[]) {
    this.port = listener.addr.port;
    this.#listener = listener;
    this.#queue = queue;
  }

  /** Opens one. Linux queues one connection more than the backlog (listen(2)). */
  static async open(): Promise<BlackHole> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
    const { port } = listener.addr;
    return new BlackHole(listener, await Promise.all([Deno.connect({ port }), Deno.connect({ port })]));
  }

  /** `HOST:PORT`. */
  get authority(): string {
    return `127.0.0.1:${this.port}`;
  }

  [Symbol.dispose](): void {
    for (const connection of this.#queue) connection.close();
    this.#listener.close();
  }
}
