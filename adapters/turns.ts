/**
 * How much a socket may read before the others have their turn.
 *
 * @module
 */

/** Who reads less than this may well wait for an answer: a request, a keystroke. */
const LITTLE = 16 * 1024;

/** For so many turns behind such a read another is expected. */
const MEMORY = 256;

/** How long turns are, in bytes. */
export interface TurnLengths {
  /** Where all sockets have much to say: the longer, the less CPU a byte costs. */
  readonly long: number;
  /** Where one of them has little to say, and waits for a turn of each of the others before it is heard. */
  readonly short: number;
}

/** The turns of all sockets of a process. */
export class Turns {
  readonly #lengths: TurnLengths;
  #short = 0;

  /** Long ones, until somebody has little to say. */
  constructor(lengths: TurnLengths) {
    this.#lengths = lengths;
  }

  /** Takes note of a read, of so many bytes. */
  heard(bytes: number): void {
    if (bytes < LITTLE) this.#short = MEMORY;
  }

  /** Whether a turn is over in which so many bytes were read. */
  isOver(bytes: number): boolean {
    if (bytes < (this.#short > 0 ? this.#lengths.short : this.#lengths.long)) return false;
    if (this.#short > 0) this.#short--;
    return true;
  }
}
