import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DEADLINES, FROM_ANY, IllegalTransition, next, type State, TRANSITIONS } from "../../src/states.ts";

const STATES = Object.keys(TRANSITIONS) as State[];
const EVENTS = [
  ...new Set([...STATES.flatMap((state) => Object.keys(TRANSITIONS[state])), ...Object.keys(FROM_ANY)]),
];

Deno.test("next() gives the table's state for every state and event, and throws for every other pair", () => {
  for (const state of STATES) {
    const row: Record<string, State> = { ...(state === "closed" ? {} : FROM_ANY), ...TRANSITIONS[state] };
    for (const event of [...EVENTS, "toString", "__proto__", "constructor", ""]) {
      if (Object.hasOwn(row, event)) assertEquals(next(state, event), row[event], `${state} × ${event}`);
      else assertThrows(() => next(state, event), IllegalTransition, state, `${state} × ${event}`);
    }
  }
});

Deno.test("IllegalTransition says the state, the event and what would have been legal", () => {
  const error = assertThrows(() => next("dialing", "drained"), IllegalTransition);
  assertEquals([error.state, error.event], ["dialing", "drained"]);
  assertStringIncludes(error.message, "tunnel, exchange, association, unreachable");
});

Deno.test("every state but the first is led to, and every one leads to closed", () => {
  const reachable = (from: State, seen = new Set<State>()): Set<State> => {
    for (const to of Object.values({ ...FROM_ANY, ...TRANSITIONS[from] }) as State[]) {
      if (!seen.has(to)) reachable(to, seen.add(to));
    }
    return seen;
  };
  assertEquals(
    [...reachable("introducing")].sort(),
    STATES.filter((state) => state !== "introducing").sort(),
  );
  for (const state of STATES.filter((state) => state !== "closed")) {
    assertEquals(reachable(state).has("closed"), true, state);
  }
});

Deno.test("a SOCKS5 client with a password runs through the states that the documentation names", () => {
  const events = [
    "recognized",
    "credentials",
    "accepted",
    "request",
    "allowed",
    "tunnel",
    "drained",
    "closed",
  ];
  const visited: State[] = ["detecting"];
  for (const event of events) visited.push(next(visited[visited.length - 1], event));
  assertEquals(
    visited.join(" → "),
    "detecting → handshaking → authenticating → handshaking → authorizing → dialing → relaying → closing → closed",
  );
});

Deno.test("every state but closed has a deadline", () => {
  assertEquals(STATES.filter((state) => DEADLINES[state] === "none"), ["closed"]);
});
