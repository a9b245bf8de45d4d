/**
 * How much a socket may read before other sockets get their turn.
 *
 * @module
 */

/** A client that sends less than this may well wait for an answer: a request, a keystroke. */
const LITTLE = 16 * 1024;

/** After such a read, another one is expected for this many turns. */
const MEMORY = 256;

/** The length of a turn, in bytes. */
export interface TurnLengths {
  /** While all sockets transfer in bulk. The longer the turn, the less CPU a byte costs. */
  readonly long: number;
  /** While one of the sockets transfers little: it is read only after a turn of each of the others. */
  readonly short: number;
}

/** The turns of all sockets of a process. */
export class Turns {
  readonly #lengths: TurnLengths;
  #short = 0;

  /** Turns are long until a socket reads little. */
  constructor(lengths: TurnLengths) {
    this.#lengths = lengths;
  }

  /** Notes a read of this many bytes. */
  heard(bytes: number): void {
    if (bytes < LITTLE) this.#short = MEMORY;
  }

  /** Whether a turn is over after this many bytes. */
  isOver(bytes: number): boolean {
    if (bytes < (this.#short > 0 ? this.#lengths.short : this.#lengths.long)) return false;
    if (this.#short > 0) this.#short--;
    return true;
  }
}
