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
  /** One side has said all it wanted; the other may go on. */
  halfClosed(): void;
}

/**
 * Relays until both sides have sent FIN. A FIN is passed on as a half-close and the other direction keeps
 * running; a reset on either side is passed on as a reset, and the returned promise rejects with its `Fault`.
 */
export function relay(client: Channel, target: Channel, observer: RelayObserver): Promise<void> {
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
  readonly resolve: () => void;
  readonly reject: (fault: Fault) => void;
}

/** What both directions have in common. An idle tunnel keeps its objects: promises for each step would cost more. */
class Tunnel {
  readonly #options: TunnelOptions;
  #running = 2;
  #broken = false;

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
    else this.#options.resolve();
  }

  /** The first failure cuts both sides, of which both then tell. */
  failed(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    const { client, target, reject } = this.#options;
    const fault = toFault(error);
    client.cut(fault);
    target.cut(fault);
    reject(fault);
  }
}

/** What one side says, on its way to the other. */
class Direction implements Drain {
  readonly #tunnel: Tunnel;
  readonly #to: Channel;

  constructor(tunnel: Tunnel, to: Channel) {
    this.#tunnel = tunnel;
    this.#to = to;
  }

  take(bytes: Uint8Array): Promise<void> | undefined {
    const { length } = bytes;
    const written = this.#to.writer.send(bytes);
    if (written) return written.then(() => this.#tunnel.moved(this.#to, length));
    this.#tunnel.moved(this.#to, length);
    return undefined;
  }

  ended(): void {
    this.#to.writer.close().then(() => this.#tunnel.halfEnded());
  }

  failed(error: unknown): void {
    queueMicrotask(() => this.#tunnel.failed(error));
  }
}
