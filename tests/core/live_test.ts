import { assertEquals } from "@std/assert";
import { liveJson, LiveView, selects, type Watched } from "../../src/observe/live.ts";
import { Recording } from "../../src/observe/record.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const CLIENT = "192.0.2.1:50000";

function watched(clock: VirtualClock, request: Partial<Recording> | undefined): Watched {
  const base = { id: "a-1", clientName: CLIENT, user: "ann", since: 0, services: { clock } };
  const recording = request && Object.assign(new Recording(base, "http"), request);
  return { ...base, recording, question: request && { host: "Example.com", port: 443 } };
}

Deno.test("live: a speed is the bytes since the view before, divided by the time", () => {
  const clock = new VirtualClock();
  const view = new LiveView(clock);
  const connection = watched(clock, { route: "direct" });
  const { recording } = connection;
  const speeds = [[500, 1_000], [2_000, 2_000], [2_000, 500], [7_000, 1_000]].map(([received, pause]) => {
    clock.advance(pause);
    recording!.received = received;
    recording!.sent = received / 10;
    const { sendSpeed, receiveSpeed } = view.of(connection);
    return [sendSpeed, receiveSpeed];
  });
  // The third comes too soon, and is that of the second.
  assertEquals(speeds, [[50, 500], [75, 750], [75, 750], [333, 3_333]]);
});

Deno.test("live: a connection is idle, waiting for its target, or open", () => {
  const clock = new VirtualClock();
  const view = new LiveView(clock);
  const states = [undefined, {}, { route: "direct" }].map((request) =>
    view.of(watched(clock, request)).state
  );
  assertEquals(states, ["idle", "waiting", "open"]);
  clock.advance(1_500);
  const idle = liveJson(view.of(watched(clock, undefined)));
  assertEquals([idle.id, idle.client, idle.user, idle.duration_ms], ["a-1", CLIENT, "ann", 1_500]);
});

Deno.test("live: a selection means the connections that fit all of it, and an empty one none", () => {
  const connection = watched(new VirtualClock(), {});
  for (
    const selection of [
      { id: "a-1" },
      { user: "ann" },
      { client: CLIENT },
      { client: "192.0.2.1" },
      { target: "example.com" },
      { target: "EXAMPLE.com:443" },
      { user: "ann", target: "example.com" },
    ]
  ) assertEquals(selects(selection, connection), true, JSON.stringify(selection));
  for (
    const selection of [
      {},
      { id: "a-2" },
      { user: "eve" },
      { client: "192.0.2" },
      { client: "192.0.2.1:5000" },
      { target: "ample.com" },
      { target: "example.com:80" },
      { user: "ann", target: "example.org" },
    ]
  ) assertEquals(selects(selection, connection), false, JSON.stringify(selection));
  const idle = watched(new VirtualClock(), undefined);
  assertEquals([selects({ target: "example.com" }, idle), selects({ user: "ann" }, idle)], [false, true]);
  const six = { ...connection, clientName: "[2001:db8::1]:5", question: { host: "2001:db8::2", port: 80 } };
  assertEquals(selects({ client: "2001:db8::1", target: "2001:db8::2" }, six), true);
  assertEquals(selects({ client: "[2001:db8::1]:5", target: "[2001:db8::2]:80" }, six), true);
});
