/**
 * Memory for short messages. A typed array with memory of its own costs more than everything else about a head, so
 * short ones are cut from blocks, one behind the other. A block is freed with the last of its pieces.
 *
 * @module
 */

const BLOCK_SIZE = 16 * 1024;

/** Longer pieces get memory of their own. */
const MAX_PIECE = 2 * 1024;

let block = new Uint8Array(BLOCK_SIZE);
let used = 0;

/** Memory for `length` bytes, all zero: a view, whose buffer holds the bytes of others, too. */
export function cutBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length > MAX_PIECE) return new Uint8Array(length);
  if (used + length > BLOCK_SIZE) {
    block = new Uint8Array(BLOCK_SIZE);
    used = 0;
  }
  return block.subarray(used, used += length);
}

/** What is left of a block must have room for most heads. Otherwise a new head begins a new block. */
const LEAST_ROOM = 1024;

/** From this many octets on, the engines copy octets faster than a loop does. */
const WORTH_A_VIEW = 32;

/** Writes octets one behind the other into a block, without knowing how many there will be. */
export class BlockWriter {
  #block = new Uint8Array(BLOCK_SIZE);
  #start = 0;
  #end = 0;

  /** Begins. What was written before and not taken is forgotten. */
  begin(): void {
    if (this.#block.length > BLOCK_SIZE || this.#block.length - this.#start < LEAST_ROOM) {
      this.#block = new Uint8Array(BLOCK_SIZE);
      this.#start = 0;
    }
    this.#end = this.#start;
  }

  /** Writes a text with one character for each octet. */
  text(text: string): void {
    const { length } = text;
    const at = this.#advance(length);
    const block = this.#block;
    for (let i = 0; i < length; i++) block[at + i] = text.charCodeAt(i);
  }

  /** Writes octets from one place up to another. */
  copy(octets: Uint8Array, from: number, to: number): void {
    const at = this.#advance(to - from);
    const block = this.#block;
    if (to - from >= WORTH_A_VIEW) block.set(octets.subarray(from, to), at);
    else for (let i = from; i < to; i++) block[at + i - from] = octets[i];
  }

  /** How many octets were written and not taken. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Makes room for some octets, and returns where they go. */
  #advance(count: number): number {
    const at = this.#end;
    this.#end = at + count;
    return this.#end <= this.#block.length ? at : this.#move(at);
  }

  /** Moves what was written before a place to a block with room for twice as much. */
  #move(end: number): number {
    const written = this.#block.subarray(this.#start, end);
    const block = new Uint8Array(Math.max(BLOCK_SIZE, 2 * (this.#end - this.#start)));
    block.set(written);
    this.#block = block;
    this.#end -= this.#start;
    this.#start = 0;
    return written.length;
  }

  /** What was written: a view, whose buffer holds the bytes of others, too. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#block.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }
}
