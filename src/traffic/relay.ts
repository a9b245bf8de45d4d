/**
 * A tunnel: bytes both ways until both sides have ended.
 *
 * @module
 */

import type { Drain } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import { type Fault, toFault } from "../faults.ts";
import type { Pace, Paces } from "./pace.ts";

/** Told how a tunnel ends. Promise resolvers are one. */
export interface RelayEnd {
  /** Both directions are over. The fault is that of the first failed write, if there was one. */
  resolve(fault: Fault | undefined): void;
  /** A connection broke, and both are cut. */
  reject(fault: Fault): void;
}

/** Told of the bytes that move. */
export interface RelayObserver {
  /** How fast bytes may move, where that is limited. */
  readonly paces?: Paces;
  /** The target's side took bytes from the client. */
  sent(count: number): void;
  /** The client's side took bytes from the target. */
  received(count: number): void;
  /** One direction is over, and the other may go on. */
  halfClosed(): void;
}

/**
 * Relays until both directions are over. A FIN is passed on as a half-close, and the other direction keeps running. A
 * reset on either side is passed on as a reset, and its `Fault` rejects.
 *
 * A failed write ends only its direction, and the tunnel resolves with the first such `Fault`: a server that stops
 * reading an upload has often sent an answer.
 */
export function relay(client: Channel, target: Channel, told: RelayObserver & RelayEnd): void {
  const tunnel = new Tunnel(client, target, told);
  const { up, down } = told.paces ?? UNLIMITED;
  client.reader.drain(up ? new PacedDirection(tunnel, target, up) : new Direction(tunnel, target));
  target.reader.drain(down ? new PacedDirection(tunnel, client, down) : new Direction(tunnel, client));
}

const UNLIMITED: Pick<Paces, "up" | "down"> = { up: undefined, down: undefined };

/** What both directions share. An idle tunnel keeps these objects, because promises for each step would cost more. */
class Tunnel {
  readonly #client: Channel;
  readonly #target: Channel;
  readonly #told: RelayObserver & RelayEnd;
  #running = 2;
  /** Whether it has ended. What the sides report of their end afterwards is not told. */
  #over = false;
  /** The fault that ended one direction early. */
  #fault: Fault | undefined;

  constructor(client: Channel, target: Channel, told: RelayObserver & RelayEnd) {
    this.#client = client;
    this.#target = target;
    this.#told = told;
  }

  moved(to: Channel, count: number): void {
    if (to === this.#target) this.#told.sent(count);
    else this.#told.received(count);
  }

  halfEnded(): void {
    if (this.#over) return;
    if (--this.#running > 0) return this.#told.halfClosed();
    this.#over = true;
    this.#told.resolve(this.#fault);
  }

  /** One side takes no more bytes. What it has sent still arrives. */
  unwritable(to: Channel, direction: Direction): void {
    if (this.#over) return;
    this.#fault ??= to.writer.broken;
    // A client that takes no more bytes is gone, so nobody needs the rest of what the target sends.
    if (to === this.#client) return this.halfEnded();
    // Many clients do not read until they have sent everything, so the rest is read and thrown away.
    this.#told.halfClosed();
    this.#client.reader.drain(direction);
  }

  /** A connection that can no longer be read is gone: both sides are cut, and both directions end. */
  failed(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const fault = this.#fault ?? toFault(error);
    this.#client.cut(fault);
    this.#target.cut(fault);
    this.#told.reject(fault);
  }
}

/** The bytes of one side, on their way to the other. */
class Direction implements Drain {
  readonly #tunnel: Tunnel;
  readonly #to: Channel;
  /** Whether the other side takes no more bytes. */
  #discards = false;

  constructor(tunnel: Tunnel, to: Channel) {
    this.#tunnel = tunnel;
    this.#to = to;
  }

  take(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#discards) return undefined;
    const { length } = bytes;
    const written = this.#to.writer.send(bytes);
    if (written) return written.then(() => this.#tunnel.moved(this.#to, length));
    this.#tunnel.moved(this.#to, length);
    return undefined;
  }

  ended(): void {
    this.#to.writer.end(() => this.#tunnel.halfEnded());
  }

  /** A write to the other side has failed, or this side can no longer be read. */
  failed(error: unknown): void {
    queueMicrotask(() => {
      if (this.#discards || !this.#to.writer.broken) return this.#tunnel.failed(error);
      this.#discards = true;
      this.#tunnel.unwritable(this.#to, this);
    });
  }
}

/** The same where a limit says how fast the bytes may move. They are written in pieces, and stay where they are meanwhile. */
class PacedDirection extends Direction {
  readonly #pace: Pace;

  constructor(tunnel: Tunnel, to: Channel, pace: Pace) {
    super(tunnel, to);
    this.#pace = pace;
  }

  override take(bytes: Uint8Array): Promise<void> | undefined {
    try {
      const allowed = this.#pace.next(bytes.length);
      return allowed === bytes.length ? super.take(bytes) : this.#takePieces(bytes, allowed);
    } catch (fault) {
      return Promise.reject(fault);
    }
  }

  async #takePieces(bytes: Uint8Array, allowed: number | Promise<number>): Promise<void> {
    let next = allowed;
    for (let at = 0;; next = this.#pace.next(bytes.length - at)) {
      const end = at + await next;
      await super.take(bytes.subarray(at, end));
      if (end === bytes.length) return;
      at = end;
    }
  }
}
