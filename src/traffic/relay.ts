/**
 * A tunnel: bytes both ways until both sides have ended.
 *
 * @module
 */

import type { Drain } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import { type Fault, toFault } from "../faults.ts";

/** Told of the bytes that move. */
export interface RelayObserver {
  /** The target's side took bytes from the client. */
  sent(count: number): void;
  /** The client's side took bytes from the target. */
  received(count: number): void;
  /** One direction is over, and the other may go on. */
  halfClosed(): void;
}

/**
 * Relays until both directions are over. A FIN is passed on as a half-close, and the other direction keeps running. A
 * reset on either side is passed on as a reset, and the returned promise rejects with its `Fault`.
 *
 * A failed write ends only its direction, and the promise resolves to the first such `Fault`: a server that stops
 * reading an upload has often sent an answer.
 */
export function relay(client: Channel, target: Channel, observer: RelayObserver): Promise<Fault | undefined> {
  return new Promise((resolve, reject) => {
    const tunnel = new Tunnel({ client, target, observer, resolve, reject });
    client.reader.drain(new Direction(tunnel, target));
    target.reader.drain(new Direction(tunnel, client));
  });
}

interface TunnelOptions {
  readonly client: Channel;
  readonly target: Channel;
  readonly observer: RelayObserver;
  readonly resolve: (fault: Fault | undefined) => void;
  readonly reject: (fault: Fault) => void;
}

/** What both directions share. An idle tunnel keeps these objects, because promises for each step would cost more. */
class Tunnel {
  readonly #options: TunnelOptions;
  #running = 2;
  #broken = false;
  /** The fault that ended one direction early. */
  #fault: Fault | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
  }

  moved(to: Channel, count: number): void {
    const { target, observer } = this.#options;
    if (to === target) observer.sent(count);
    else observer.received(count);
  }

  halfEnded(): void {
    if (--this.#running > 0) this.#options.observer.halfClosed();
    else this.#options.resolve(this.#fault);
  }

  /** One side takes no more bytes. What it has sent still arrives. */
  unwritable(to: Channel, direction: Direction): void {
    const { client, observer } = this.#options;
    this.#fault ??= to.writer.broken;
    // A client that takes no more bytes is gone, so nobody needs the rest of what the target sends.
    if (to === client) return this.halfEnded();
    // Many clients do not read until they have sent everything, so the rest is read and thrown away.
    observer.halfClosed();
    client.reader.drain(direction);
  }

  /** A connection that can no longer be read is gone: both sides are cut, and both directions end. */
  failed(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    const { client, target, reject } = this.#options;
    const fault = this.#fault ?? toFault(error);
    client.cut(fault);
    target.cut(fault);
    reject(fault);
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
    this.#to.writer.close().then(() => this.#tunnel.halfEnded());
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
