/**
 * Bytes that have arrived and that no codec has used. A codec reads {@link ByteBuffer.bytes} and removes what it has
 * used with {@link ByteBuffer.skip}. The rest stays for the next reader, so nothing is lost.
 *
 * @module
 */

import { freeBlock, newBlock } from "./bulk_block.ts";

const LF = 0x0A;

/**
 * Stands in for memory that is lent, and for no memory. A detached block would throw even when nothing is read from it.
 */
const NONE = new Uint8Array(0);

/** A queue of bytes in one block of memory. The reader hands the block to the socket, which fills it. */
export class ByteBuffer {
  #block: Uint8Array<ArrayBuffer>;
  #lent: Uint8Array<ArrayBuffer> = NONE;
  /** Whether the block was adopted with its bytes. It is let go with the last of them. */
  #adopted = false;
  #start = 0;
  #end = 0;
  /** How far {@link ByteBuffer.lineEnd} has searched, so that bytes that arrive one by one cost O(n) and not O(n²). */
  #searched = 0;

  /** Whether a long block may be resizable, so that it is freed at once. */
  readonly #resizable: boolean;

  /** Starts with room for `capacity` bytes. A BYOB read takes no resizable memory. */
  constructor(capacity: number, { resizable = false } = {}) {
    this.#resizable = resizable;
    this.#block = capacity === 0 ? NONE : new Uint8Array(capacity);
  }

  /** A buffer with a copy of the given bytes, for tests and for codecs used on their own. */
  static of(bytes: Uint8Array): ByteBuffer {
    const buffer = new ByteBuffer(bytes.length);
    buffer.append(bytes);
    return buffer;
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** How many bytes fit in all, before the block has to grow. */
  get capacity(): number {
    return this.#block.length;
  }

  /** The bytes that wait: a view, valid until the buffer is filled again. */
  get bytes(): Uint8Array {
    return this.#block.subarray(this.#start, this.#end);
  }

  /** The memory that holds the bytes that wait, and others: they are there until the buffer is filled again. */
  get block(): Uint8Array {
    return this.#block;
  }

  /** Where the first byte that waits is in the block. */
  get start(): number {
    return this.#start;
  }

  /** Where the last byte that waits ends in the block. */
  get end(): number {
    return this.#end;
  }

  /** The byte at an offset from the first waiting byte, or -1 if there is none. */
  at(offset: number): number {
    return offset < this.length ? this.#block[this.#start + offset] : -1;
  }

  /** Forgets the first `count` bytes. */
  skip(count: number): void {
    this.#start += count;
    this.#searched = 0;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#adopted) this.#replace(NONE);
  }

  #replace(block: Uint8Array<ArrayBuffer>): void {
    freeBlock(this.#block);
    this.#block = block;
    this.#adopted = false;
  }

  /** Forgets the bytes and frees the memory, even if it is lent. Nobody may use it, or a view of it, any more. */
  free(): void {
    freeBlock(this.#lent);
    this.#lent = NONE;
    this.#replace(NONE);
    this.skip(this.length);
  }

  /** Takes up to `limit` bytes off the front: a view, valid until the buffer is filled again. */
  take(limit = Infinity): Uint8Array {
    const end = Math.min(this.#end, this.#start + limit);
    const taken = this.#block.subarray(this.#start, end);
    this.skip(taken.length);
    return taken;
  }

  /** Where the first LF is, counted from the first byte that waits; -1 if there is none yet. */
  lineEnd(): number {
    for (let i = Math.max(this.#start, this.#searched); i < this.#end; i++) {
      if (this.#block[i] === LF) return i - this.#start;
    }
    this.#searched = this.#end;
    return -1;
  }

  /** Adds a copy of some bytes at the end. */
  append(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#block.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Uses the given memory as its block, if no bytes wait. Nobody else may use the memory from then on. */
  adopt(bytes: Uint8Array<ArrayBuffer>): void {
    this.#block = bytes;
    this.#adopted = true;
    this.#end = bytes.length;
  }

  /**
   * Lends the free room behind the last byte, at least `least` bytes of it, to be filled by a BYOB read. The buffer
   * must not be used until {@link ByteBuffer.restore} brings the memory back: a BYOB read detaches it.
   */
  lend(least: number): Uint8Array<ArrayBuffer> {
    this.#makeRoom(least);
    this.#lent = this.#block;
    this.#block = NONE;
    return this.#end === 0 ? this.#lent : this.#lent.subarray(this.#end);
  }

  #makeRoom(least: number): void {
    if (this.#block.length - this.#end >= least) return;
    const waiting = this.bytes;
    const needed = waiting.length + least;
    if (needed <= this.#block.length) this.#block.copyWithin(0, this.#start, this.#end);
    else {
      const block = new Uint8Array(Math.max(needed, this.#block.length * 2));
      block.set(waiting);
      this.#replace(block);
    }
    this.#searched = Math.max(0, this.#searched - this.#start);
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** Takes lent memory back, with `count` new bytes in it. */
  restore(room: Uint8Array<ArrayBuffer>, count: number): void {
    this.#block = room.buffer === this.#lent.buffer ? this.#lent : new Uint8Array(room.buffer);
    this.#lent = NONE;
    this.#end += count;
  }

  /** Changes how many bytes fit, if no bytes wait. */
  resize(capacity: number): void {
    if (this.length > 0 || capacity === this.#block.length) return;
    this.#replace(capacity === 0 ? NONE : newBlock(capacity, { resizable: this.#resizable }));
  }
}
