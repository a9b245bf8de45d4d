/**
 * Memory for short messages. A typed array with memory of its own costs more than everything else about a head, so
 * they are cut from blocks, one behind the other; a block is free when the last of its pieces is.
 *
 * @module
 */

const BLOCK_SIZE = 16 * 1024;

/** What is longer gets memory of its own. */
const MAX_PIECE = 2 * 1024;

let block = new Uint8Array(BLOCK_SIZE);
let used = 0;

/** Memory for so many bytes, all zero: a view, whose buffer holds other people's bytes as well. */
export function cutBytes(length: number): Uint8Array<ArrayBuffer> {
  if (length > MAX_PIECE) return new Uint8Array(length);
  if (used + length > BLOCK_SIZE) {
    block = new Uint8Array(BLOCK_SIZE);
    used = 0;
  }
  return block.subarray(used, used += length);
}
