import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Level, LEVELS, LineLog, SILENT_LOG } from "../../src/observe/log.ts";

const TIME = "2026-01-31T12:00:00.000Z";

function logTo(lines: string[], level: Level): LineLog {
  return new LineLog({ level, write: (line) => lines.push(line), clock: { date: () => new Date(TIME) } });
}

function logged(level: Level, act: (log: LineLog) => void): string[] {
  const lines: string[] = [];
  act(logTo(lines, level));
  return lines;
}

for (const [i, level] of LEVELS.entries()) {
  Deno.test(`log: level ${level} takes what is as grave or graver`, () => {
    const lines = logged(level, (log) => LEVELS.forEach((each) => log[each]("Message")));
    assertEquals(lines, LEVELS.slice(0, i + 1).map((each) => `${TIME} ${each.padEnd(5)} Message`));
  });
}

Deno.test("log: a change of level holds for the next message", () => {
  const lines = logged("error", (log) => {
    log.info("One");
    log.level = "info";
    log.info("Two");
  });
  assertEquals(lines, [`${TIME} info  Two`]);
});

Deno.test("log: what the cause says is added", () => {
  assertEquals(logged("info", (log) => log.warn("It failed", new Error("no room"))), [
    `${TIME} warn  It failed: no room`,
  ]);
  assertEquals(logged("info", (log) => log.warn("It failed", "no room")), [
    `${TIME} warn  It failed: no room`,
  ]);
  assertEquals(logged("info", (log) => log.warn("It failed", new TypeError())), [
    `${TIME} warn  It failed: TypeError`,
  ]);
});

Deno.test("log: what the message says already is not said again", () => {
  const lines = logged("info", (log) => log.warn("It failed: no room", new Error("no room")));
  assertEquals(lines, [`${TIME} warn  It failed: no room`]);
});

Deno.test("log: a message is one line of printable ASCII", () => {
  const lines = logged("info", (log) => log.info("a\nb\r\x1b[2J\x7f\x85\x9b\u2028c", new Error('"q"\n')));
  assertEquals(lines, [`${TIME} info  a\\x0Ab\\x0D\\x1B[2J\\x7F\\x85\\x9B\\u2028c: "q"\\x0A`]);
});

Deno.test("log: the stacks of an error and its causes are lines of their own at debug", () => {
  const error = new Error("outer\nforged", { cause: new Error("inner") });
  const [first, ...trace] = logged("debug", (log) => log.error("Unexpected", error));
  assertEquals(first, `${TIME} error Unexpected: outer\\x0Aforged`);
  assert(trace.some((line) => line.includes("inner")));
  assert(trace.some((line) => line.includes("log_test")));
  for (const line of trace) assertMatch(line, /^2026-01-31T12:00:00\.000Z debug {3}[\x20-\x7E]*$/);
});

Deno.test("log: there are no stacks above debug", () => {
  assertEquals(logged("info", (log) => log.error("Unexpected", new Error("outer"))).length, 1);
});

Deno.test("log: causes that go round in a circle come to an end", () => {
  const error = new Error("round");
  error.cause = error;
  assert(logged("debug", (log) => log.error("Unexpected", error)).length > 1);
});

Deno.test("log: the silent log takes everything", () => {
  for (const level of LEVELS) SILENT_LOG[level]("Message", new Error());
});
