/**
 * Memory for bulk transfers, which is given back to the system at once when it is freed.
 *
 * @module
 */

/**
 * How long the blocks for bulk transfers are. With reads of 64 KiB a byte was measured to cost a third more CPU on Deno
 * and twice as much on Node, and with 128 KiB a tenth more. A write to a peer that has stopped reading holds its block,
 * so they are shorter where many are in use.
 */
const LONG_BLOCK = 256 * 1024;
const SHORT_BLOCK = 128 * 1024;
const MANY = 64;

/** What came with ES2024. Node 20 has no `transferToFixedLength()`. */
interface ResizableBuffer {
  readonly resizable: boolean;
  resize(length: number): void;
  transferToFixedLength?(length: number): ArrayBuffer;
}

const Resizable = ArrayBuffer as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;

let inUse = 0;

/** How long the next block for a bulk transfer should be. */
export function bulkLength(): number {
  return inUse < MANY ? LONG_BLOCK : SHORT_BLOCK;
}

/**
 * A block of memory, all zero. A resizable one for a bulk transfer can be freed. V8 takes pages from the system for it,
 * and all other memory from malloc(3), which keeps most of what is freed: 200 KiB for each of 500 transfers.
 */
export function newBlock(
  length: number,
  { resizable }: { readonly resizable: boolean },
): Uint8Array<ArrayBuffer> {
  if (!resizable || length < SHORT_BLOCK) return new Uint8Array(length);
  inUse++;
  return new Uint8Array(new Resizable(length, { maxByteLength: length }));
}

/** Frees such a block at once, as no collector may come for minutes. All its views are empty from then on. */
export function freeBlock({ buffer }: Uint8Array<ArrayBuffer>): void {
  const block = buffer as unknown as ResizableBuffer;
  if (!block.resizable || buffer.byteLength === 0) return;
  inUse--;
  if (block.transferToFixedLength) block.transferToFixedLength(0);
  else block.resize(0);
}
