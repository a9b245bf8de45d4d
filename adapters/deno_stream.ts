/**
 * The sockets of Deno as byte streams.
 *
 * They cannot send a reset. `Deno.Conn` has no SO_LINGER and is shut down before it is closed, so `writable.abort()`
 * sends FIN.
 *
 * @module
 */

import type { PortReceiver } from "../src/runtime/direct_port.ts";
import type { Address, SocketError } from "../src/runtime/contract.ts";
import { show, tcpAddress } from "./addresses.ts";
import { PortStream } from "./port_stream.ts";
import { socketError } from "./socket_errors.ts";
import { Turns } from "./turns.ts";

/** An address in Deno's form. */
export interface DenoAddress {
  readonly transport: "tcp" | "unix";
  readonly hostname?: string;
  readonly port?: number;
  /** Null for the unnamed socket of a client. */
  readonly path?: string | null;
  readonly reusePort?: boolean;
}

/** The part of Deno's connections that is used here. */
export interface DenoConn {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  read(buffer: ArrayBufferView): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
  setKeepAlive?(on: boolean): void;
}

/** An address in the contract's form. */
export function fromDeno({ transport, hostname = "", port = 0, path }: DenoAddress): Address {
  return transport === "unix" ? { path: path ?? "" } : tcpAddress(hostname, port);
}

/** The cause if this side has ended a connection. */
const DESTROYED = { name: "Destroyed", message: "it was aborted or cancelled here" };

/**
 * Turns matter only if several connections are read. As long as there is work to do at once, Deno looks for new events
 * only every 20 to 200 ms. A pause takes 1 to 3 ms, so turns are longer than on other runtimes.
 */
const TURNS = new Turns({ long: 2 * 1024 * 1024, short: 512 * 1024 });

/** The connection that was read last. */
let reading: SocketStream | undefined;

/** A connection of Deno. */
export class SocketStream extends PortStream {
  readonly local: Address;
  readonly remote: Address;
  readonly #conn: DenoConn;
  /** The receiver that waits for the current read. */
  #receiver: PortReceiver | undefined;
  /** How many halves have not ended; 0 once the descriptor is free. */
  #open = 2;
  #finReceived = false;
  /** Why nothing more can be sent, although reading may go on. */
  #unwritable: unknown;
  #unsent = 0;
  /** How many bytes were read since its turn began, and whether no other connection was read meanwhile. */
  #turn = 0;
  #alone = true;
  /** Why the connection is gone. */
  #cause: unknown;

  constructor(conn: DenoConn) {
    super();
    this.#conn = conn;
    this.local = fromDeno(conn.localAddr);
    this.remote = fromDeno(conn.remoteAddr);
    try {
      conn.setNoDelay?.(true);
      conn.setKeepAlive?.(true);
    } catch {
      // The peer is gone already (EINVAL on macOS). The first read will report it.
    }
  }

  pull(receiver: PortReceiver): void {
    if (this.#cause !== undefined) return receiver.fail(this.#failure());
    if (this.#finReceived) return receiver.end();
    this.#receiver = receiver;
    if (!TURNS.isOver(this.#turn)) return this.#read(receiver);
    this.#turn = 0;
    if (this.#alone) return this.#read(receiver);
    this.#alone = true;
    // setImmediate() would fire before Deno looks for new events.
    setTimeout(() => {
      if (this.#receiver === receiver) this.#read(receiver);
    });
  }

  #read(receiver: PortReceiver): void {
    const room = receiver.lend();
    this.#conn.read(room).then((count) => this.#received(room, count), (cause) => this.#destroy(cause));
  }

  #received(room: Uint8Array<ArrayBuffer>, count: number | null): void {
    const receiver = this.#receiver;
    // The connection was destroyed meanwhile.
    if (receiver === undefined) return;
    this.#receiver = undefined;
    if (count === null) {
      // The system reports a reset only once. If a write has met it, the next read looks like an end. EPIPE is
      // different: a write gets it after a real end.
      if (this.#unwritable !== undefined && (this.#unwritable as Error).name !== "BrokenPipe") {
        this.#receiver = receiver;
        return this.#destroy(this.#unwritable);
      }
      this.#finReceived = true;
      receiver.end(room);
      this.#endHalf();
      return;
    }
    TURNS.heard(count);
    this.#turn += count;
    if (reading !== this) this.#alone = reading === undefined;
    reading = this;
    if (receiver.receive(count === room.length ? room : room.subarray(0, count))) this.pull(receiver);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#cause !== undefined || this.#unwritable !== undefined) return Promise.reject(this.#failure());
    this.#unsent = bytes.length;
    return this.#conn.write(bytes).then(
      (sent) => (this.#unsent -= sent) > 0 ? this.#writeRest(bytes) : undefined,
      (cause) => this.#broken(cause),
    );
  }

  async #writeRest(bytes: Uint8Array): Promise<void> {
    try {
      while (this.#unsent > 0) this.#unsent -= await this.#conn.write(bytes.subarray(-this.#unsent));
    } catch (cause) {
      this.#broken(cause);
    }
  }

  get unsent(): number {
    return this.#unsent;
  }

  close(): Promise<void> | undefined {
    if (this.#unwritable !== undefined) return undefined;
    // close(2) sends FIN as well.
    if (this.#open === 1) return this.#endHalf();
    return this.#conn.closeWrite().then(() => this.#endHalf(), (cause) => this.#broken(cause));
  }

  #endHalf(): undefined {
    if (this.#open > 0 && --this.#open === 0) this.#conn.close();
  }

  destroy(): void {
    this.#destroy(DESTROYED);
  }

  /** Writing is over, and reading goes on. */
  #broken(cause: unknown): never {
    this.#unwritable = cause;
    this.#endHalf();
    throw this.#failure();
  }

  /** Frees the descriptor and fails the current read. Later reads and writes fail, too. */
  #destroy(cause: unknown): void {
    this.#cause ??= cause;
    if (this.#open > 0) this.#conn.close();
    this.#open = 0;
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.fail(this.#failure());
  }

  /** Made only when somebody waits for it, because an error costs a stack trace. */
  #failure(): SocketError {
    const message = `The connection with ${show(this.remote)} is gone`;
    const cause = this.#cause ?? this.#unwritable ?? DESTROYED;
    return socketError(message, { code: "connection_terminated", cause });
  }
}
