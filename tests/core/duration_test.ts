import { assertEquals, assertThrows } from "@std/assert";
import { formatDuration, parseDuration } from "../../src/text/duration.ts";
import { UsageError } from "../../src/text/usage_error.ts";

const DURATIONS: [text: string, milliseconds: number][] = [
  ["0", 0],
  ["0ms", 0],
  ["1ms", 1],
  ["500ms", 500],
  ["10s", 10_000],
  ["10", 10_000],
  ["0.25", 250],
  ["1.5s", 1_500],
  ["1.0004s", 1_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["24d", 2_073_600_000],
  ["2147483647ms", 2_147_483_647],
];

for (const [text, milliseconds] of DURATIONS) {
  Deno.test(`parseDuration() reads "${text}" as ${milliseconds} ms`, () => {
    assertEquals(parseDuration(text), milliseconds);
  });
}

for (
  const text of [
    "",
    " ",
    "s",
    "-1s",
    "+1s",
    "1 s",
    "1S",
    "1min",
    "1e3",
    "0x10",
    ".5s",
    "5.",
    "1m30s",
    "Infinity",
  ]
) {
  Deno.test(`parseDuration() refuses "${text}" and shows what it takes`, () => {
    assertThrows(
      () => parseDuration(text),
      UsageError,
      `Invalid duration "${text}": give a number and a unit`,
    );
  });
}

for (const text of ["2147483648ms", "25d", "9".repeat(400)]) {
  Deno.test(`parseDuration() refuses ${text.slice(0, 12)}, which timers would take for 1 ms`, () => {
    assertThrows(() => parseDuration(text), UsageError, 'the longest is "24d"');
  });
}

Deno.test("formatDuration() takes the largest unit that leaves no fraction", () => {
  const written = [0, 1, 999, 1_000, 1_500, 60_000, 90_000, 300_000, 3_600_000, 86_400_000].map(
    formatDuration,
  );
  assertEquals(written, ["0s", "1ms", "999ms", "1s", "1500ms", "1m", "90s", "5m", "1h", "1d"]);
});

Deno.test("formatDuration() writes what parseDuration() reads", () => {
  for (const [, milliseconds] of DURATIONS) {
    assertEquals(parseDuration(formatDuration(milliseconds)), milliseconds);
  }
});
