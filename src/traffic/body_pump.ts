/**
 * Streams the body of a message from its sender to its receiver.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import { Fields } from "../protocols/http/fields.ts";
import type { BodySink, BodySource } from "../protocols/http/sides.ts";

/** Told how a body moves. */
export interface BodyObserver {
  /** The receiver was given `count` octets of content. */
  readonly moved: (count: number) => void;
  /** Told before (true) and after (false) a wait for the sender. */
  readonly waiting: (forBytes: boolean) => void;
  /** The sender has sent the whole body. */
  readonly taken: () => void;
  /** Makes the fault for a sender that ends before the body does. */
  readonly cutShort: () => Fault;
}

/**
 * Moves a body from its sender to its receiver as it arrives. Returns undefined if all of it could be moved at once.
 */
export function pumpBody(from: BodySource, to: BodySink, observer: BodyObserver): Promise<void> | undefined {
  return moveWaiting(from, to, observer) ? to.flush() : pumpRest(from, to, observer);
}

async function pumpRest(from: BodySource, to: BodySink, observer: BodyObserver): Promise<void> {
  do {
    const flushing = to.flush();
    if (flushing) await flushing;
    observer.waiting(true);
    const more = await from.fill();
    observer.waiting(false);
    if (more) continue;
    if (!from.endsAtClose) throw observer.cutShort();
    observer.taken();
    to.end(NO_TRAILERS);
    break;
  } while (!moveWaiting(from, to, observer));
  await to.flush();
}

/** Moves what has arrived. Returns true at the end of the body. */
function moveWaiting(from: BodySource, to: BodySink, observer: BodyObserver): boolean {
  while (true) {
    const event = from.read();
    if (!event) return false;
    if (event.type === "end") {
      observer.taken();
      to.end(event.trailers);
      return true;
    }
    to.data(event.bytes);
    observer.moved(event.bytes.length);
  }
}

/** Reads the rest of a body and throws it away. Returns false if the sender ends before the body does. */
export async function discardBody(from: BodySource): Promise<boolean> {
  while (true) {
    for (let event = from.read(); event; event = from.read()) {
      if (event.type === "end") return true;
    }
    if (!await from.fill()) return false;
  }
}

const NO_TRAILERS = new Fields();
