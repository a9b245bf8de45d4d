/**
 * A tunnel: bytes both ways until both sides have ended.
 *
 * @module
 */

import type { Drain } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import { type Fault, toFault } from "../faults.ts";

/** Told of what moves. */
export interface RelayObserver {
  /** Bytes from the client were taken by the target's side. */
  sent(count: number): void;
  /** Bytes from the target were taken by the client's side. */
  received(count: number): void;
  /** One direction is over; the other may go on. */
  halfClosed(): void;
}

/**
 * Relays until both directions are over. A FIN is passed on as a half-close and the other direction keeps
 * running; a reset on either side is passed on as a reset, and the returned promise rejects with its `Fault`.
 *
 * A write that fails ends its direction alone, and the promise settles with the first such `Fault`: a server that takes
 * no more of an upload has often sent an answer.
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

/** What both directions have in common. An idle tunnel keeps its objects: promises for each step would cost more. */
class Tunnel {
  readonly #options: TunnelOptions;
  #running = 2;
  #broken = false;
  /** What has ended a direction before its time. */
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

  /** One side takes no more. What it has sent still arrives. */
  unwritable(to: Channel, direction: Direction): void {
    const { client, observer } = this.#options;
    this.#fault ??= to.writer.broken;
    // A client that takes no more is gone, so the target need not send on.
    if (to === client) return this.halfEnded();
    // Many clients read nothing before they have sent everything, so the rest of it is read and thrown away.
    observer.halfClosed();
    client.reader.drain(direction);
  }

  /** A connection that cannot be read any more is gone: both sides are cut, and both tell of it. */
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

/** What one side says, on its way to the other. */
class Direction implements Drain {
  readonly #tunnel: Tunnel;
  readonly #to: Channel;
  /** Whether the other side takes no more. */
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

  /** Either a write to the other side has failed, or this side cannot be read any more. */
  failed(error: unknown): void {
    queueMicrotask(() => {
      if (this.#discards || !this.#to.writer.broken) return this.#tunnel.failed(error);
      this.#discards = true;
      this.#tunnel.unwritable(this.#to, this);
    });
  }
}
