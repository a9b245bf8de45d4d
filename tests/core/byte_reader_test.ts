import { assertEquals, assertRejects } from "@std/assert";
import { ByteReader } from "../../src/streams/byte_reader.ts";
import { Fault } from "../../src/faults.ts";
import type { PortReceiver } from "../../src/runtime/direct_port.ts";
import { StreamPort } from "../../src/streams/stream_port.ts";
import { memoryPair } from "../support/memory_stream.ts";

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function text(view: Uint8Array | undefined): string | undefined {
  return view && new TextDecoder().decode(view);
}

/** Writes parts one behind the other and ends the stream, without waiting. */
function send(writable: WritableStream<Uint8Array>, parts: Uint8Array[]): Promise<void> {
  const writer = writable.getWriter();
  return parts.reduce((before, part) => before.then(() => writer.write(part)), Promise.resolve())
    .then(() => writer.close());
}

Deno.test("ByteReader.read() yields what arrived, at most as much as asked for, and keeps the rest", async () => {
  const [near, far] = memoryPair();
  const reader = new ByteReader(new StreamPort(near), "client");
  const sent = send(far.writable, [bytes("hello world")]);
  assertEquals(text(await reader.read(5)), "hello");
  assertEquals(text(await reader.read()), " world");
  assertEquals(await reader.read(), undefined);
  assertEquals(reader.ended, true);
  await sent;
});

Deno.test("ByteReader.fill() adds behind what waits, and grows for it", async () => {
  const [near, far] = memoryPair();
  const reader = new ByteReader(new StreamPort(near), "client");
  const sent = send(far.writable, [bytes("a".repeat(5_000)), bytes("b".repeat(5_000))]);
  while (await reader.fill());
  assertEquals(text(reader.buffer.bytes), "a".repeat(5_000) + "b".repeat(5_000));
  await sent;
});

Deno.test("ByteReader.fill() that was given up loses nothing: the next waits for the same bytes", async () => {
  const [near, far] = memoryPair();
  const reader = new ByteReader(new StreamPort(near), "client");
  const given = reader.fill();
  assertEquals(reader.fill(), given);
  assertEquals(reader.buffer.lineEnd(), -1);
  const sent = send(far.writable, [bytes("late\n")]);
  assertEquals(text(await reader.read()), "late\n");
  await sent;
});

Deno.test("ByteReader.read() behind a wait that was given up waits for its bytes, also where some wait already", async () => {
  const [near, far] = memoryPair();
  const reader = new ByteReader(new StreamPort(near), "client");
  const writer = far.writable.getWriter();
  await writer.write(bytes("half "));
  await reader.fill();
  void reader.fill();
  const reading = reader.read();
  await writer.write(bytes("head"));
  assertEquals(text(await reading), "half head");
});

for (const direct of [false, true]) {
  const way = direct ? "port" : "pair";

  Deno.test(`ByteReader.interrupt() ends a wait, and what comes then is for the next (${way})`, async () => {
    const [near, far] = memoryPair({ direct });
    const reader = new ByteReader(near.port ?? new StreamPort(near), "client");
    const why = new Fault("client_timeout");
    const waiting = reader.fill();
    reader.interrupt(why);
    assertEquals(await assertRejects(() => waiting, Fault), why);
    reader.interrupt(new Fault("proxy_shutdown", "Nobody waits"));
    const reading = reader.read();
    const sent = send(far.writable, [bytes("late")]);
    assertEquals([text(await reading), await reader.read()], ["late", undefined]);
    await sent;
  });

  Deno.test(`ByteReader.watch() tells once of bytes, and takes none from who waits (${way})`, async () => {
    const [near, far] = memoryPair({ direct });
    const reader = new ByteReader(near.port ?? new StreamPort(near), "client");
    const told: unknown[] = [];
    const watcher = { stirred: (fault?: Fault) => void told.push(fault?.code ?? text(reader.buffer.bytes)) };
    reader.watch({ stirred: () => told.push("the one before") });
    reader.watch(watcher);
    const writer = far.writable.getWriter();
    async function fillWith(sending: () => Promise<void>): Promise<boolean> {
      const filling = reader.fill();
      await sending();
      return await filling;
    }
    await fillWith(() => writer.write(bytes("a")));
    assertEquals(told, ["a"]);
    await fillWith(() => writer.write(bytes("b")));
    assertEquals(told, ["a"]);
    reader.watch(watcher);
    reader.unwatch();
    await fillWith(() => writer.write(bytes("c")));
    assertEquals([text(reader.buffer.take()), told], ["abc", ["a"]]);
    reader.watch(watcher);
    assertEquals([await fillWith(() => writer.close()), told], [false, ["a", ""]]);
    reader.watch(watcher);
    assertEquals(told, ["a", "", ""]);
    reader.cut(new Fault("proxy_shutdown"));
    reader.watch(watcher);
    assertEquals(told, ["a", "", "", "proxy_shutdown"]);
  });

  Deno.test(`ByteReader.watch() tells of a connection that breaks (${way})`, async () => {
    const [near, far] = memoryPair({ direct });
    const reader = new ByteReader(near.port ?? new StreamPort(near), "client");
    const broken = new Promise((resolve) => reader.watch({ stirred: (fault) => resolve(fault?.code) }));
    await far.writable.abort();
    assertEquals(await broken, "client_disconnected");
  });
}

Deno.test("ByteReader grows its buffer while reads fill it, and shrinks it behind a trickle", async () => {
  const [near, far] = memoryPair({ capacity: 1024 * 1024 });
  const reader = new ByteReader(new StreamPort(near), "client");
  const writer = far.writable.getWriter();
  await writer.write(new Uint8Array(700_000));
  const sizes: number[] = [];
  for (let left = 700_000; left > 0;) {
    const read = (await reader.read())!.length;
    sizes.push(read);
    left -= read;
  }
  assertEquals(sizes.slice(0, 5), [2, 2, 32, 32, 256].map((kibibytes) => kibibytes * 1024));
  for (let i = 0; i < 16; i++) {
    await writer.write(new Uint8Array(10));
    await reader.read();
  }
  await writer.write(new Uint8Array(10_000));
  assertEquals((await reader.read())!.length, 2 * 1024);
});

Deno.test("ByteReader takes no new memory for each of many messages that are larger than its buffer", async () => {
  const [near, far] = memoryPair({ capacity: 1024 * 1024 });
  const reader = new ByteReader(new StreamPort(near), "client");
  const writer = far.writable.getWriter();
  for (let message = 0; message < 20; message++) {
    await writer.write(new Uint8Array(33 * 1024));
    const sizes: number[] = [];
    for (let left = 33 * 1024; left > 0; left -= sizes.at(-1)!) sizes.push((await reader.read())!.length);
    if (message > 0) assertEquals(sizes, [32 * 1024, 1024]);
  }
});

Deno.test("ByteReader.cut() tells the reason to whoever waits, and to whoever comes later", async () => {
  const [near] = memoryPair();
  const reader = new ByteReader(new StreamPort(near), "client");
  const waiting = assertRejects(() => reader.read(), Fault, "Too slow");
  reader.cut(new Fault("client_timeout", "Too slow"));
  await waiting;
  await assertRejects(() => reader.fill(), Fault, "Too slow");
});

Deno.test("ByteReader blames a reset on the side that it happened on", async () => {
  for (
    const [side, code] of [["client", "client_disconnected"], ["target", "connection_terminated"]] as const
  ) {
    const [near, far] = memoryPair();
    const reader = new ByteReader(new StreamPort(near), side);
    const waiting = assertRejects(() => reader.read(), Fault);
    await far.writable.abort();
    assertEquals((await waiting).code, code);
  }
});

Deno.test("ByteReader reads streams that are no byte streams, too", async () => {
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes("one "));
      controller.enqueue(bytes("two"));
      controller.close();
    },
  });
  const reader = new ByteReader(new StreamPort({ readable, writable: new WritableStream() }), "client");
  while (await reader.fill());
  assertEquals(text(reader.buffer.bytes), "one two");
});

Deno.test("ByteReader holds what a port gives in the memory that it came in, and lets go of it with the last byte", async () => {
  const given = bytes("hello world");
  const port = {
    gives: true,
    unsent: 0,
    pull: (receiver: PortReceiver) => void receiver.receive(given),
    write: () => undefined,
    close: () => undefined,
    destroy: () => {},
  };
  const reader = new ByteReader(port, "client");
  await reader.fill();
  assertEquals(reader.buffer.bytes.buffer, given.buffer);
  assertEquals(text(reader.buffer.take()), "hello world");
  assertEquals(reader.buffer.capacity, 0);
});
