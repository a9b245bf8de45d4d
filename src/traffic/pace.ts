/**
 * How fast the bytes of a request may move, one way.
 *
 * @module
 */

/** Says how many bytes may move next. */
export interface Pace {
  /**
   * How many of `count` bytes may move, at least one. A promise if that takes a wait. Throws or rejects with a `Fault` if no
   * more may move.
   */
  next(count: number): number | Promise<number>;
  /** Whether a datagram with `count` bytes may move now. Otherwise it is dropped. */
  passes(count: number): boolean;
}

/** The paces of a request; undefined where it is not limited. */
export interface Paces {
  /** From the client to the target. */
  readonly up: Pace | undefined;
  /** From the target to the client. */
  readonly down: Pace | undefined;
  /** Ends them together with the request. */
  release(): void;
}
