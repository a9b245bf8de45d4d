/**
 * Streams the body of a message from its sender to its receiver.
 *
 * @module
 */

import { type Fault, toFault } from "../faults.ts";
import { Fields } from "../protocols/http/fields.ts";
import type { BodySink, BodySource } from "../protocols/http/sides.ts";
import type { Waiter } from "../streams/byte_reader.ts";
import type { Pace } from "./pace.ts";

/** Told how a body moves. */
export interface BodyObserver {
  /** How fast it may move, if that is limited. */
  readonly pace: Pace | undefined;
  /** The receiver was given `count` octets of content. May throw to break the body off. */
  moved(count: number): void;
  /** Told before (true) and after (false) a wait for the sender. */
  waiting(forBytes: boolean): void;
  /** The sender has sent the whole body. */
  taken(): void;
  /** Makes the fault for a sender that ends before the body does. */
  cutShort(): Fault;
  /** All of it has left, after a wait. */
  pumped(): void;
  /** It has broken off, after a wait. */
  pumpFailed(fault: Fault): void;
}

/**
 * Moves a body from its sender to its receiver as it arrives. Returns true if all of it could be moved at once; otherwise
 * the observer is told how it ends. Throws what breaks it off at once.
 */
export function pumpBody(from: BodySource, to: BodySink, observer: BodyObserver): boolean {
  const moved = moveWaiting(from, to, observer);
  if (moved !== true) {
    new BodyPump(from, to, observer).moved(moved);
    return false;
  }
  const flushing = to.flush();
  if (!flushing) return true;
  flushing.then(() => observer.pumped(), (error) => observer.pumpFailed(toFault(error)));
  return false;
}

/** A body that arrives in several reads. */
class BodyPump implements Waiter {
  readonly #from: BodySource;
  readonly #to: BodySink;
  readonly #observer: BodyObserver;

  constructor(from: BodySource, to: BodySink, observer: BodyObserver) {
    this.#from = from;
    this.#to = to;
    this.#observer = observer;
  }

  /** Goes on with what was moved. */
  moved(moved: Moved): void {
    if (moved === true) this.#finish();
    else if (moved === false) this.#goOn();
    else moved.then((moved) => this.moved(moved), (error) => this.failed(error));
  }

  /** Sends what was moved, and waits for more. */
  #goOn(): void {
    const flushing = this.#to.flush();
    if (flushing) flushing.then(() => this.#wait(), (error) => this.failed(error));
    else this.#wait();
  }

  #wait(): void {
    this.#observer.waiting(true);
    this.#from.wait(this);
  }

  /** See `Waiter`. */
  filled(more: boolean): void {
    const observer = this.#observer;
    observer.waiting(false);
    try {
      if (more) return this.moved(moveWaiting(this.#from, this.#to, observer));
      this.#endAtClose();
      this.#finish();
    } catch (error) {
      this.failed(error);
    }
  }

  #finish(): void {
    const flushing = this.#to.flush();
    if (flushing) flushing.then(() => this.#observer.pumped(), (error) => this.failed(error));
    else this.#observer.pumped();
  }

  #endAtClose(): void {
    if (!this.#from.endsAtClose) throw this.#observer.cutShort();
    this.#observer.taken();
    this.#to.end(NO_TRAILERS);
  }

  /** See `Waiter`. */
  failed(error: unknown): void {
    this.#observer.pumpFailed(toFault(error));
  }
}

/** Whether the end of the body is reached. A promise if a limit made it wait. */
type Moved = boolean | Promise<boolean>;

/** Moves what has arrived, up to the end of the body. */
function moveWaiting(from: BodySource, to: BodySink, observer: BodyObserver): Moved {
  const { pace } = observer;
  while (true) {
    const event = from.read();
    if (!event) return false;
    if (event.type === "end") {
      observer.taken();
      to.end(event.trailers);
      return true;
    }
    const { bytes } = event;
    const allowed = pace ? pace.next(bytes.length) : bytes.length;
    if (allowed !== bytes.length) {
      return movePieces(bytes, { to, observer, pace: pace!, allowed })
        .then(() => moveWaiting(from, to, observer));
    }
    to.data(bytes);
    observer.moved(bytes.length);
  }
}

/** Moves bytes in the pieces that a limit allows. They stay where they are meanwhile. */
async function movePieces(
  bytes: Uint8Array,
  { to, observer, pace, allowed }: {
    readonly to: BodySink;
    readonly observer: BodyObserver;
    readonly pace: Pace;
    readonly allowed: number | Promise<number>;
  },
): Promise<void> {
  await to.flush();
  let next = allowed;
  for (let at = 0;; next = pace.next(bytes.length - at)) {
    const end = at + await next;
    to.data(bytes.subarray(at, end));
    observer.moved(end - at);
    await to.flush();
    if (end === bytes.length) return;
    at = end;
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
