import { assert, assertEquals } from "@std/assert";
import { formatBytes, formatProgress, formatRate, Progress } from "../../src/cli/check/progress.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function screen(columns = 80) {
  const clock = new VirtualClock();
  const written: string[] = [];
  const progress = new Progress({ clock, columns: () => columns, write: (text) => written.push(text) });
  return { clock, written, progress };
}

Deno.test("progress: what takes less than a second is not drawn", () => {
  const { clock, written, progress } = screen();
  progress.update(1, 10);
  clock.advance(999);
  progress.update(10, 10);
  progress.clear();
  assertEquals(written, []);
});

Deno.test("progress: a long transfer is drawn at most ten times a second, and erased", () => {
  const { clock, written, progress } = screen();
  for (let i = 1; i <= 3_000; i++) {
    clock.advance(1);
    progress.update(i, 3_000);
  }
  progress.clear();
  assert(written.length <= 22, String(written.length));
  assertEquals(written.at(-1), "\r\x1b[K");
  assert(written.every((text) => text.startsWith("\r\x1b[K")));
  progress.clear();
  assertEquals(written.filter((text) => text === "\r\x1b[K").length, 1);
});

Deno.test("progress: a known length has a bar and the time that is left, an unknown one what has come", () => {
  assertEquals(
    formatProgress(25_000_000, 100_000_000, { time: 5_000, columns: 90 }),
    "[#######.......................]  25%  25.0 MB of 100.0 MB, 5.0 MB/s, 15 s left",
  );
  assertEquals(formatProgress(1_234_567, undefined, { time: 2_000, columns: 79 }), "1.2 MB, 617.3 kB/s");
  assertEquals(formatProgress(0, 10, { time: 2_000, columns: 79 }).includes("left"), false);
});

Deno.test("progress: no line is wider than the terminal", () => {
  for (let columns = 0; columns < 100; columns++) {
    for (const total of [undefined, 100, 1e12]) {
      assert(formatProgress(50, total, { time: 1_500, columns }).length <= columns);
    }
  }
});

Deno.test("progress: sizes and rates have one decimal and a unit that fits", () => {
  const table: [number, string][] = [
    [0, "0 bytes"],
    [999, "999 bytes"],
    [1_000, "1.0 kB"],
    [999_949, "999.9 kB"],
    [999_950, "1.0 MB"],
    [1.5e9, "1.5 GB"],
    [5e15, "5000.0 TB"],
  ];
  for (const [size, text] of table) assertEquals(formatBytes(size), text);
  assertEquals([formatRate(500, 250), formatRate(500, 0)], ["2.0 kB/s", "0 bytes/s"]);
});
