import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { LineWriter } from "../../src/observe/line_writer.ts";
import { MAX_WRITE, type Output } from "../../src/observe/output.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

/** An output whose writes settle when the test says so. */
class SlowOutput implements Output {
  readonly writes: string[] = [];
  #settle: ((error?: Error) => void)[] = [];
  #arrived: () => void = () => {};

  write(bytes: Uint8Array): Promise<void> {
    this.writes.push(new TextDecoder().decode(bytes));
    this.#arrived();
    return new Promise((resolve, reject) => {
      this.#settle.push((error) => error ? reject(error) : resolve());
    });
  }

  /** Waits for a write, if none is under way. */
  async arrival(): Promise<void> {
    if (this.#settle.length === 0) await new Promise<void>((resolve) => this.#arrived = resolve);
    await Promise.resolve();
  }

  async take(): Promise<void> {
    await this.arrival();
    this.#settle.shift()!();
  }

  async fail(error: Error): Promise<void> {
    await this.arrival();
    this.#settle.shift()!(error);
  }
}

class FastOutput implements Output {
  readonly writes: string[] = [];

  write(bytes: Uint8Array): Promise<void> {
    this.writes.push(new TextDecoder().decode(bytes));
    return Promise.resolve();
  }
}

Deno.test("line writer: the lines of one turn share a write", async () => {
  const output = new FastOutput();
  const writer = new LineWriter(output);
  writer.write("one");
  writer.write("two");
  await writer.flush();
  assertEquals(output.writes, ["one\ntwo\n"]);
});

Deno.test("line writer: lines that come during a write share the next one", async () => {
  const output = new SlowOutput();
  const writer = new LineWriter(output);
  writer.write("one");
  await output.arrival();
  writer.write("two");
  writer.write("three");
  await output.take();
  await output.take();
  await writer.flush();
  assertEquals(output.writes, ["one\n", "two\nthree\n"]);
});

Deno.test("line writer: a write has whole lines as far as they fit, and all of them in order", async () => {
  const output = new FastOutput();
  const writer = new LineWriter(output);
  const lines = Array.from({ length: 500 }, (_, i) => `${i}`.padEnd(i % 97, "."));
  for (const line of lines) writer.write(line);
  await writer.flush();
  assertEquals(output.writes.join(""), lines.map((line) => `${line}\n`).join(""));
  assert(output.writes.length > 1);
  for (const written of output.writes) {
    assertLessOrEqual(written.length, MAX_WRITE);
    assert(written.endsWith("\n"));
  }
});

Deno.test("line writer: a line longer than a write is handed over whole", async () => {
  const output = new FastOutput();
  const writer = new LineWriter(output);
  writer.write("x".repeat(3 * MAX_WRITE));
  writer.write("y");
  await writer.flush();
  assertEquals(output.writes, [`${"x".repeat(3 * MAX_WRITE)}\n`, "y\n"]);
});

Deno.test("line writer: what does not fit is dropped, and reported once it flows again", async () => {
  const output = new SlowOutput();
  const dropped: number[] = [];
  const writer = new LineWriter(output, { capacity: 19, onDropped: (count) => dropped.push(count) });
  writer.write("12345678");
  await output.arrival();
  for (const line of ["abcdefgh", "lost", "lost too", "i"]) writer.write(line);
  assertEquals(dropped, []);
  await output.take();
  await output.take();
  await writer.flush();
  assertEquals(output.writes, ["12345678\n", "abcdefgh\n"]);
  assertEquals(dropped, [3]);
});

Deno.test("line writer: there is room again for what was written", async () => {
  const output = new FastOutput();
  const dropped: number[] = [];
  const writer = new LineWriter(output, { capacity: 10, onDropped: (count) => dropped.push(count) });
  for (let i = 0; i < 100; i++) {
    writer.write("1234567");
    await writer.flush();
  }
  assertEquals(output.writes.length, 100);
  assertEquals(dropped, []);
});

Deno.test("line writer: an output that is always behind hears of drops once a second", async () => {
  const output = new SlowOutput();
  const dropped: number[] = [];
  let now = 0;
  // Each line fills a write of its own, so that one more is always waiting.
  const line = "x".repeat(MAX_WRITE);
  const writer = new LineWriter(output, {
    capacity: 3 * MAX_WRITE,
    onDropped: (count) => dropped.push(count),
    clock: { now: () => now },
  });
  for (let i = 0; i < 2; i++) writer.write(line);
  for (const time of [0, 500, 999, 1_000, 1_500]) {
    await output.arrival();
    writer.write(line);
    now = time;
    const seen = output.writes.length;
    await output.take();
    while (output.writes.length === seen) await Promise.resolve();
    writer.write(line);
  }
  assertEquals(dropped, [1, 3]);
  while (output.writes.length < 7) await output.take();
});

Deno.test("line writer: a report that is written by the same writer comes through", async () => {
  const output = new SlowOutput();
  const writer: LineWriter = new LineWriter(output, {
    capacity: 10,
    onDropped: (count) => writer.write(`${count} lost`),
  });
  writer.write("1234567");
  await output.arrival();
  writer.write("x".repeat(10));
  await output.take();
  await output.take();
  await writer.flush();
  assertEquals(output.writes, ["1234567\n", "1 lost\n"]);
});

Deno.test("line writer: when the output is closed it says so once and takes everything in silence", async () => {
  const output = new SlowOutput();
  const errors: unknown[] = [];
  const writer = new LineWriter(output, { onClosed: (error) => errors.push(error) });
  const error = new Error("gone");
  writer.write("one");
  await output.arrival();
  writer.write("two");
  await output.fail(error);
  await writer.flush();
  writer.write("three");
  await writer.flush();
  assertEquals(output.writes, ["one\n"]);
  assertEquals(errors, [error]);
});

Deno.test("line writer: lines that are lost to a closed output are counted and told", async () => {
  const output = new SlowOutput();
  const dropped: number[] = [];
  const clock = new VirtualClock();
  const writer = new LineWriter(output, { clock, onDropped: (count) => dropped.push(count) });
  writer.write("one");
  await output.arrival();
  writer.write("two");
  await output.fail(new Error("gone"));
  await writer.flush();
  assertEquals(dropped, [2], "The line under way and the one that waited");
  writer.write("three");
  writer.write("four");
  assertEquals(dropped, [2], "It does not tell of each");
  clock.advance(60_000);
  writer.write("five");
  assertEquals(dropped, [2, 3]);
  writer.write("six");
  await writer.flush();
  assertEquals(dropped, [2, 3, 1]);
});

Deno.test("line writer: flush() waits for the last write", async () => {
  const output = new SlowOutput();
  const writer = new LineWriter(output);
  const events: string[] = [];
  writer.write("one");
  const flushed = writer.flush().then(() => events.push("flushed"));
  await output.arrival();
  events.push("taken");
  await output.take();
  await flushed;
  assertEquals(events, ["taken", "flushed"]);
});

Deno.test("line writer: flush() has nothing to wait for where nothing was written", async () => {
  await new LineWriter(new SlowOutput()).flush();
});

Deno.test("line writer: resume() takes lines again after the output was closed", async () => {
  const output = new SlowOutput();
  const dropped: number[] = [];
  const writer = new LineWriter(output, { onDropped: (count) => dropped.push(count) });
  writer.write("one");
  await output.fail(new Error("gone"));
  await writer.flush();
  writer.write("two");
  writer.resume();
  writer.write("three");
  await output.take();
  await writer.flush();
  assertEquals(output.writes, ["one\n", "three\n"]);
  assertEquals(dropped, [1, 1]);
});

Deno.test("line writer: abandon() tells of what nobody has taken", async () => {
  const output = new SlowOutput();
  const dropped: number[] = [];
  const writer = new LineWriter(output, { onDropped: (count) => dropped.push(count) });
  writer.write("one");
  await output.arrival();
  writer.write("two");
  writer.write("three");
  writer.abandon();
  assertEquals(dropped, [3]);
});
