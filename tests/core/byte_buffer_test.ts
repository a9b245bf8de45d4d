import { assert, assertEquals, assertNotStrictEquals } from "@std/assert";
import { bulkLength, freeBlock, newBlock } from "../../src/streams/bulk_block.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { octets } from "../support/codec.ts";
import { Random, SEED } from "../support/random.ts";

/** Fills the buffer as a BYOB read does: the memory is detached and comes back as another view. */
function receive(buffer: ByteBuffer, bytes: Uint8Array, least = 1): void {
  const room = buffer.lend(least);
  assert(room.length >= least, `Lent ${room.length} bytes where ${least} were asked for`);
  const taken = bytes.subarray(0, room.length);
  const transferred = structuredClone(room, { transfer: [room.buffer] });
  assertEquals(room.length, 0);
  transferred.set(taken);
  buffer.restore(transferred.subarray(0, taken.length), taken.length);
  if (taken.length < bytes.length) receive(buffer, bytes.subarray(taken.length));
}

Deno.test("ByteBuffer gives bytes back in the order in which they came", () => {
  const buffer = new ByteBuffer(4);
  buffer.append(octets("01 02 03"));
  buffer.append(octets("04 05 06"));
  assertEquals(buffer.length, 6);
  assertEquals(buffer.bytes, octets("01 02 03 04 05 06"));
  assertEquals(buffer.take(2), octets("01 02"));
  buffer.skip(1);
  assertEquals(buffer.bytes, octets("04 05 06"));
  assertEquals(buffer.take(), octets("04 05 06"));
  assertEquals(buffer.length, 0);
});

Deno.test("ByteBuffer.of() copies", () => {
  const bytes = octets("01 02 03");
  const buffer = ByteBuffer.of(bytes);
  bytes[0] = 9;
  assertEquals(buffer.bytes, octets("01 02 03"));
  assertEquals(ByteBuffer.of(new Uint8Array(0)).length, 0);
});

Deno.test("append() copies", () => {
  const buffer = new ByteBuffer(8);
  const bytes = octets("01 02 03");
  buffer.append(bytes);
  bytes[0] = 9;
  assertEquals(buffer.bytes, octets("01 02 03"));
});

Deno.test("append() takes bytes of the buffer itself", () => {
  for (const capacity of [4, 5, 8, 16]) {
    const buffer = new ByteBuffer(capacity);
    buffer.append(octets("00 01 02 03"));
    buffer.skip(1);
    buffer.append(buffer.bytes);
    assertEquals(buffer.bytes, octets("01 02 03 01 02 03"), `capacity ${capacity}`);
  }
});

Deno.test("at() counts from the first byte that waits", () => {
  const buffer = ByteBuffer.of(octets("0a 0b 0c"));
  assertEquals([0, 1, 2, 3, 1000].map((offset) => buffer.at(offset)), [0x0A, 0x0B, 0x0C, -1, -1]);
  buffer.skip(2);
  assertEquals([0, 1].map((offset) => buffer.at(offset)), [0x0C, -1]);
  buffer.skip(1);
  assertEquals(buffer.at(0), -1);
});

Deno.test("take() and skip() stop at the last byte", () => {
  const buffer = ByteBuffer.of(octets("01 02 03"));
  assertEquals(buffer.take(0), new Uint8Array(0));
  assertEquals(buffer.take(10), octets("01 02 03"));
  assertEquals(buffer.take(10), new Uint8Array(0));
  buffer.append(octets("04"));
  buffer.skip(10);
  assertEquals(buffer.length, 0);
  buffer.append(octets("05"));
  assertEquals(buffer.bytes, octets("05"));
});

Deno.test("take() gives bytes that stay until the buffer is filled again", () => {
  const buffer = ByteBuffer.of(octets("01 02 03 04"));
  const first = buffer.take(2);
  const second = buffer.take(2);
  assertEquals([first, second], [octets("01 02"), octets("03 04")]);
});

Deno.test("lineEnd() finds the first LF that waits", () => {
  const buffer = ByteBuffer.of(octets('"ab" 0d0a "c" 0a0a "d"'));
  assertEquals(buffer.lineEnd(), 3);
  assertEquals(buffer.lineEnd(), 3);
  buffer.skip(4);
  assertEquals(buffer.lineEnd(), 1);
  buffer.skip(2);
  assertEquals(buffer.lineEnd(), 0);
  buffer.skip(1);
  assertEquals(buffer.lineEnd(), -1);
  buffer.append(octets("0a"));
  assertEquals(buffer.lineEnd(), 1);
});

Deno.test("lineEnd() does not find an LF that was used, or one that the memory still holds", () => {
  const buffer = new ByteBuffer(8);
  assertEquals(buffer.lineEnd(), -1);
  buffer.append(octets('"ab" 0a'));
  buffer.skip(3);
  assertEquals(buffer.lineEnd(), -1);
  buffer.append(octets('"c"'));
  assertEquals(buffer.lineEnd(), -1);
});

Deno.test("lineEnd() goes on where it stopped when the buffer has moved its bytes", () => {
  const buffer = new ByteBuffer(8);
  buffer.append(octets('"xxabcd"'));
  buffer.skip(2);
  assertEquals(buffer.lineEnd(), -1);
  buffer.append(octets('0a "ef"'));
  assertEquals(buffer.lineEnd(), 4);
  buffer.append(octets('"ghijklmnop"'));
  assertEquals(buffer.lineEnd(), 4);
});

Deno.test("lineEnd() does not look again at what it has seen, however slowly a line arrives", () => {
  const buffer = new ByteBuffer(8);
  buffer.append(octets('"xabc"'));
  buffer.skip(1);
  assertEquals(buffer.lineEnd(), -1);
  // The view is the buffer's own memory: an LF put behind the search's back must not be found.
  buffer.bytes[0] = 0x0A;
  assertEquals(buffer.lineEnd(), -1);
  for (const capacity of [8, 16]) {
    buffer.append(octets('"defgh"'));
    assertEquals(buffer.capacity, capacity);
    assertEquals(buffer.lineEnd(), -1);
  }
  buffer.append(octets("0a"));
  assertEquals(buffer.lineEnd(), 13);
});

Deno.test("lend() and restore() survive that the memory is detached meanwhile", () => {
  const buffer = new ByteBuffer(4);
  receive(buffer, octets("01 02 03"));
  buffer.skip(1);
  receive(buffer, octets("04 05 06 07 08"));
  assertEquals(buffer.bytes, octets("02 03 04 05 06 07 08"));
});

Deno.test("restore() with no bytes leaves everything as it was", () => {
  const buffer = ByteBuffer.of(octets("01 02"));
  receive(buffer, new Uint8Array(0));
  assertEquals(buffer.bytes, octets("01 02"));
  assertEquals(buffer.lineEnd(), -1);
});

Deno.test("lend() lends as much as is asked for, whatever waits", () => {
  for (const waiting of [0, 1, 7, 8]) {
    for (const skipped of [0, 1, 4]) {
      for (const least of [1, 2, 8, 9, 100]) {
        const buffer = new ByteBuffer(8);
        buffer.append(new Uint8Array(waiting).fill(7));
        buffer.skip(Math.min(skipped, waiting));
        receive(buffer, new Uint8Array(least).fill(8), least);
        assertEquals(buffer.length, waiting - Math.min(skipped, waiting) + least);
      }
    }
  }
});

Deno.test("the memory does not grow while what waits fits in it", () => {
  const buffer = new ByteBuffer(16);
  for (let round = 0; round < 1000; round++) {
    receive(buffer, octets("01 02 03 04 05"));
    if (buffer.length > 5) buffer.skip(5);
  }
  assertEquals(buffer.capacity, 16);
});

Deno.test("the memory at least doubles when it grows, so that growing costs little", () => {
  const buffer = new ByteBuffer(1);
  const capacities = new Set<number>();
  for (let i = 0; i < 4096; i++) {
    buffer.append(octets("01"));
    capacities.add(buffer.capacity);
  }
  assertEquals(buffer.length, 4096);
  assert(capacities.size <= 13, `Grew ${capacities.size} times`);
});

Deno.test("resize() changes how much fits when nothing waits, and never loses a byte", () => {
  const buffer = new ByteBuffer(4);
  buffer.resize(64);
  assertEquals(buffer.capacity, 64);
  buffer.append(octets("01 02"));
  buffer.resize(1);
  assertEquals([buffer.capacity, buffer.bytes], [64, octets("01 02")]);
  buffer.skip(2);
  buffer.resize(0);
  assertEquals(buffer.capacity, 0);
  receive(buffer, octets("03"));
  assertEquals(buffer.bytes, octets("03"));
});

Deno.test("resize() to the same size keeps the memory", () => {
  const buffer = new ByteBuffer(8);
  const before = buffer.bytes.buffer;
  buffer.resize(8);
  assert(buffer.bytes.buffer === before);
  buffer.resize(9);
  assertNotStrictEquals(buffer.bytes.buffer, before);
});

Deno.test(`ByteBuffer does what an array does (seed ${SEED})`, () => {
  const random = new Random();
  for (let run = 0; run < 200; run++) {
    const buffer = new ByteBuffer(random.below(20));
    let model: number[] = [];
    const log: string[] = [];
    for (let step = 0; step < 100; step++) {
      const count = random.below(12);
      const bytes = random.bytes(count).map((byte) => byte % 16);
      switch (random.below(7)) {
        case 0:
          log.push(`append ${count}`);
          buffer.append(bytes);
          model.push(...bytes);
          break;
        case 1:
          log.push(`receive ${count}`);
          receive(buffer, bytes, 1 + random.below(7));
          model.push(...bytes);
          break;
        case 2:
          log.push(`skip ${count}`);
          buffer.skip(count);
          model = model.slice(count);
          break;
        case 3:
          log.push(`take ${count}`);
          assertEquals([...buffer.take(count)], model.slice(0, count), log.join(", "));
          model = model.slice(count);
          break;
        case 4:
          log.push(`resize ${count}`);
          buffer.resize(count);
          break;
        default:
          log.push("lineEnd");
          assertEquals(buffer.lineEnd(), model.indexOf(10), log.join(", "));
      }
      assertEquals([...buffer.bytes], model, log.join(", "));
      assertEquals([...buffer.block.subarray(buffer.start, buffer.end)], model, log.join(", "));
      assertEquals(buffer.length, model.length);
      assertEquals(buffer.at(count), model[count] ?? -1);
      assert(buffer.capacity >= buffer.length);
    }
  }
});

Deno.test("free() frees a long block with its views, also if it is lent, and the buffer can be used again", () => {
  for (const lent of [false, true]) {
    const buffer = new ByteBuffer(0, { resizable: true });
    buffer.resize(bulkLength());
    const room = buffer.lend(1);
    if (!lent) buffer.restore(room.subarray(0, 3), 3);
    buffer.free();
    assertEquals(room.length, 0);
    assertEquals(buffer.length, 0);
    buffer.append(octets("01 02"));
    assertEquals(buffer.take(), octets("01 02"));
  }
});

Deno.test("blocks for bulk transfers are shorter while many are in use", () => {
  const long = bulkLength();
  const blocks = [];
  while (bulkLength() === long) {
    assert(blocks.length < 1000, "They never became shorter");
    blocks.push(newBlock(long, { resizable: true }));
  }
  assert(bulkLength() < long);
  // Freeing one twice counts once.
  for (const block of [blocks[0], blocks[0]]) freeBlock(block);
  blocks.push(newBlock(long, { resizable: true }));
  assert(bulkLength() < long);
  for (const block of blocks) freeBlock(block);
  assertEquals(bulkLength(), long);
});
