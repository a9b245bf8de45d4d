import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { arrange, ORDERS, render, type Row, type View } from "../../src/cli/top/screen.ts";
import { eventsIn } from "../../src/cli/top/admin.ts";

function row(id: string, more: Partial<Row> = {}): Row {
  return {
    id,
    client: "192.0.2.1:50000",
    user: "ann",
    state: "open",
    target: `${id}.test:443`,
    bytes_sent: 20,
    bytes_received: 3_000_000,
    send_speed: 0,
    receive_speed: 1_500,
    duration_ms: 3_661_000,
    ...more,
  };
}

function view(rows: readonly Row[], more: Partial<View> = {}): View {
  return {
    summary: { name: "proxy-1", uptime: 90, open: 2, speeds: { received: 1_500, sent: 0, requests: 2.5 } },
    rows,
    all: rows.length,
    order: "speed",
    filter: "",
    selected: undefined,
    said: undefined,
    ...more,
  };
}

Deno.test("top: a screen has the speeds above, the rows in columns, and the keys below", () => {
  const lines = render(view([row("a"), row("b", { state: "idle", target: undefined, receive_speed: 0 })]), {
    columns: 120,
    lines: 8,
    style: false,
  });
  assertEquals(lines.map((line) => line.trimEnd()), [
    "sluice proxy-1  up 1m30s  2 open",
    "to clients 1.5 kB/s  to targets 0 bytes/s  2.5 requests/s  by speed",
    "",
    "TARGET                            USER         CLIENT                  TO CLIENT   TO TARGET  RECEIVED      SENT     AGE",
    "a.test:443                        ann          192.0.2.1:50000          1.5 kB/s           -    3.0 MB  20 bytes    1h1m",
    "(idle)                            ann          192.0.2.1:50000                 -           -    3.0 MB  20 bytes    1h1m",
    "",
    "q quit  s sort  / filter  k close  arrows select",
  ]);
});

Deno.test("top: no line is wider than the terminal, and there are as many as it has", () => {
  const rows = Array.from({ length: 1_000 }, (_, i) => row(`${i}-${"x".repeat(i % 90)}`));
  for (const columns of [10, 40, 59, 80, 100, 250]) {
    for (const lines of [1, 5, 6, 24]) {
      const screen = render(view(rows, { selected: rows[500].id }), { columns, lines, style: false });
      assertEquals(screen.length, lines);
      if (columns >= 40) { for (const line of screen) assert(line.length <= columns, `${columns}: ${line}`); }
      if (lines > 5 && columns >= 40) assert(screen.some((line) => line.startsWith("500-")));
    }
  }
  assertEquals(render(view(rows), { columns: 80, lines: Infinity, style: false }).length, 1_004);
});

Deno.test("top: what strangers write moves no cursor", () => {
  const [, , , , line] = render(view([row("a", { target: "a\x1b[2J\n\u202Eb", user: "\x07\x9b" })]), {
    columns: 80,
    lines: 10,
    style: true,
  });
  assertStringIncludes(line, "a?[2J??b");
  assert(!/\p{Cc}|\p{Cf}/u.test(line));
});

Deno.test("top: rows are sorted and filtered", () => {
  const rows = [
    row("a", { receive_speed: 1, bytes_received: 3, user: "bob", duration_ms: 1 }),
    row("b", { receive_speed: 3, bytes_received: 2, bytes_sent: 9, client: "192.0.2.0:1", duration_ms: 2 }),
    row("c", { receive_speed: 2, bytes_received: 1, target: "0.test:1", duration_ms: 3 }),
  ];
  const ids = ORDERS.map((order) => arrange(rows, { order, filter: "" }).map(({ id }) => id).join(""));
  assertEquals(ids, ["bca", "abc", "acb", "cba", "cab", "bca", "bac"]);
  assertEquals(arrange(rows, { order: "speed", filter: "BOB a.test" }).map(({ id }) => id), ["a"]);
});

Deno.test("top: events are read however they are cut", async () => {
  async function* pieces(): AsyncIterable<string> {
    yield* "event: totals\ndata: {}\n\nevent: state\ndata: 1\n\nrest".match(/.{1,3}/gs)!;
  }
  const events = [];
  for await (const event of eventsIn(pieces())) events.push(event);
  assertEquals(events, [{ type: "totals", data: "{}" }, { type: "state", data: "1" }]);
});
