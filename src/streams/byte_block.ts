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
