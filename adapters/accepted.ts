/**
 * The clients that a listener has accepted and that nobody has taken yet.
 *
 * @module
 */

import type { ByteStream } from "../src/runtime/contract.ts";

/** A queue that is iterated as clients come. Written by hand: an async generator costs a client three more promises. */
export class Accepted<Stream extends ByteStream> implements AsyncIterableIterator<ByteStream> {
  readonly #waiting: Stream[] = [];
  #taker: ((result: IteratorResult<ByteStream>) => void) | undefined;
  #closed = false;

  /** A client has come. */
  add(stream: Stream): void {
    const taker = this.#taker;
    if (!taker) return void this.#waiting.push(stream);
    this.#taker = undefined;
    taker({ done: false, value: stream });
  }

  /** Ends the iteration. Returns the clients whom nobody has taken. */
  close(): Stream[] {
    this.#closed = true;
    this.#taker?.(OVER);
    this.#taker = undefined;
    return this.#waiting.splice(0);
  }

  next(): Promise<IteratorResult<ByteStream>> {
    const stream = this.#waiting.shift();
    if (stream) return Promise.resolve({ done: false, value: stream });
    if (this.#closed) return Promise.resolve(OVER);
    return new Promise((resolve) => this.#taker = resolve);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ByteStream> {
    return this;
  }
}

const OVER: IteratorResult<ByteStream> = { done: true, value: undefined };
