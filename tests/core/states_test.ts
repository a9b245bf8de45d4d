import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  CONNECTION,
  CONNECTION_DEADLINES,
  FROM_ANY,
  IllegalTransition,
  INTERRUPTED,
  isLast,
  nextOfConnection,
  nextOfRequest,
  REQUEST,
  REQUEST_DEADLINES,
  type State,
} from "../../src/states.ts";

type Row = Readonly<Record<string, string>>;

/** Both tables, with what looks them up. */
const TABLES = [
  {
    rows: CONNECTION as Readonly<Record<string, Row>>,
    next: nextOfConnection as (state: string, event: string) => string,
    interrupted: INTERRUPTED.connection as string,
    first: "introducing",
    last: ["closed"],
    deadlines: CONNECTION_DEADLINES as Readonly<Record<string, string | undefined>>,
  },
  {
    rows: REQUEST as Readonly<Record<string, Row>>,
    next: nextOfRequest as (state: string, event: string) => string,
    interrupted: INTERRUPTED.request as string,
    first: "reading",
    last: ["served", "over", "broken"],
    deadlines: REQUEST_DEADLINES as Readonly<Record<string, string | undefined>>,
  },
];

/** A row with the events that may happen anywhere. */
function wholeRow({ rows, interrupted }: typeof TABLES[number], state: string): Row {
  const anywhere = isLast(state as State)
    ? {}
    : Object.fromEntries(FROM_ANY.map((event) => [event, interrupted]));
  return { ...anywhere, ...rows[state] };
}

Deno.test("the next state is the table's for every state and event, and every other pair throws", () => {
  for (const table of TABLES) {
    const events = new Set([...Object.values(table.rows).flatMap((row) => Object.keys(row)), ...FROM_ANY]);
    for (const state of Object.keys(table.rows)) {
      const row = wholeRow(table, state);
      for (const event of [...events, "toString", "__proto__", "constructor", ""]) {
        const at = `${state} × ${event}`;
        if (Object.hasOwn(row, event)) assertEquals(table.next(state, event), row[event], at);
        else assertThrows(() => table.next(state, event), IllegalTransition, state, at);
      }
    }
  }
});

Deno.test("IllegalTransition says the state, the event and what would have been legal", () => {
  const error = assertThrows(() => nextOfRequest("dialing", "drained"), IllegalTransition);
  assertEquals([error.state, error.event], ["dialing", "drained"]);
  assertStringIncludes(error.message, "tunnel, exchange, association, unreachable");
});

Deno.test("every state but the first is led to, and every one leads to a last one", () => {
  for (const table of TABLES) {
    const reachable = (from: string, seen = new Set<string>()): Set<string> => {
      for (const to of Object.values(wholeRow(table, from))) {
        if (!seen.has(to)) reachable(to, seen.add(to));
      }
      return seen;
    };
    const states = Object.keys(table.rows);
    assertEquals([...reachable(table.first).add(table.first)].sort(), states.toSorted());
    assertEquals(states.filter((state) => isLast(state as State)), table.last);
    for (const state of states.filter((state) => !isLast(state as State))) {
      assertEquals(table.last.some((last) => reachable(state).has(last)), true, state);
    }
  }
});

Deno.test("the last states of a request are events of its connection, and there are no others", () => {
  const last = Object.keys(REQUEST).filter((state) => isLast(state as State));
  assertEquals(Object.keys(CONNECTION.serving), last);
});

Deno.test("every state has a deadline but serving, whose requests have one, and the last ones", () => {
  for (const { rows, deadlines } of TABLES) {
    const without = Object.keys(rows).filter((state) => (deadlines[state] ?? "none") === "none");
    assertEquals(without.filter((state) => !isLast(state as State)), rows === CONNECTION ? ["serving"] : []);
  }
});
