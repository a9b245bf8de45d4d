/**
 * The body of a message, streamed from its sender to its receiver.
 *
 * @module
 */

import type { Fault } from "../faults.ts";
import { Fields } from "../protocols/http/fields.ts";
import type { BodySink, BodySource } from "../protocols/http/sides.ts";

/** Who is told of a body on its way. */
export interface BodyObserver {
  /** So many octets of content are on their way. */
  readonly moved: (count: number) => void;
  /** Told before and after it waits for the sender. */
  readonly waiting: (forBytes: boolean) => void;
  /** The sender has sent all of it. */
  readonly taken: () => void;
  /** What it is when the sender ends before the body does. */
  readonly cutShort: () => Fault;
}

/** Takes a body from its sender as it comes, and gives it to its receiver. Undefined where all of it was there. */
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

/** What has arrived; true with the end of the body. */
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

/** Reads the rest of a body and throws it away. False where the sender ends before the body does. */
export async function discardBody(from: BodySource): Promise<boolean> {
  while (true) {
    for (let event = from.read(); event; event = from.read()) {
      if (event.type === "end") return true;
    }
    if (!await from.fill()) return false;
  }
}

const NO_TRAILERS = new Fields();
