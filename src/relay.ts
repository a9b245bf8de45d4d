/**
 * A tunnel: bytes both ways until both sides have ended.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import { toFault } from "./faults.ts";

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
export async function relay(client: Channel, target: Channel, observer: RelayObserver): Promise<void> {
  let running = 2;
  const end = async (to: Channel): Promise<void> => {
    await to.writer.close();
    if (--running > 0) observer.halfClosed();
  };
  const pumps = [
    pump(client, target, (count) => observer.sent(count)).then(() => end(target)),
    pump(target, client, (count) => observer.received(count)).then(() => end(client)),
  ];
  try {
    await Promise.all(pumps);
  } catch (error) {
    const fault = toFault(error);
    client.cut(fault);
    target.cut(fault);
    await Promise.allSettled(pumps);
    throw fault;
  }
}

/** No `await`: a frame of each direction would be kept for as long as the tunnel stands. */
function pump(from: Channel, to: Channel, moved: (count: number) => void): Promise<void> {
  return from.reader.drain((bytes) => {
    const { length } = bytes;
    const written = to.writer.send(bytes);
    if (written) return written.then(() => moved(length));
    moved(length);
    return undefined;
  });
}
