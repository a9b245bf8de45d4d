import { assertEquals } from "@std/assert";
import { sumTotals } from "../../src/observe/metric_table.ts";
import { type CountedRequest, Metrics } from "../../src/observe/metrics.ts";
import { BUCKETS } from "../../src/observe/histogram.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function request(options: Partial<CountedRequest>): CountedRequest {
  return {
    id: "a-1",
    protocol: "http",
    method: undefined,
    user: undefined,
    route: undefined,
    fault: undefined,
    began: 0,
    dialTime: undefined,
    firstByteTime: undefined,
    sent: 0,
    received: 0,
    ...options,
  };
}

/** The counts by name and the histograms, of which there are none yet. */
const NONE = {
  userRequests: {},
  userSent: {},
  userReceived: {},
  routeRequests: {},
  routeFailures: {},
  durations: {},
  dials: {},
  firstBytes: {},
  pages: {},
  limits: {},
};

Deno.test("Metrics counts records by protocol, ending and fault, and adds their bytes up", () => {
  const clock = new VirtualClock();
  const started = clock.date().getTime();
  const metrics = new Metrics(clock);
  const nothing = { requests: {}, endings: {}, faults: {}, sent: 0, received: 0, ...NONE };
  assertEquals(metrics.totals(), { started, uptime: 0, open: 0, connections: 0, ...nothing });
  clock.advance(1_500);
  metrics.connected();
  metrics.connected();
  metrics.disconnected();
  metrics.add(request({ sent: 3, received: 5 }), "completed");
  metrics.add(request({ protocol: "socks5", fault: { code: "dns_error" }, sent: 1 }), "refused");
  metrics.add(request({ protocol: undefined, fault: { code: "client_timeout" } }), "timed out");
  metrics.add(request({ protocol: "socks5", received: 2 ** 40 }), "completed");
  assertEquals(metrics.totals(), {
    started,
    uptime: 1.5,
    open: 1,
    connections: 2,
    requests: { http: 1, socks5: 2 },
    endings: { "completed": 2, "refused": 1, "timed out": 1 },
    faults: { dns_error: 1, client_timeout: 1 },
    sent: 4,
    received: 2 ** 40 + 5,
    ...NONE,
  });
});

Deno.test("Metrics hands out totals that do not change any more", () => {
  const metrics = new Metrics(new VirtualClock());
  const before = metrics.totals();
  metrics.add(request({ fault: { code: "dns_error" } }), "completed");
  assertEquals([before.requests, before.endings, before.faults], [{}, {}, {}]);
});

Deno.test("sumTotals() adds up what several have done since the first of them started", () => {
  const clock = new VirtualClock();
  const first = new Metrics(clock);
  first.connected();
  first.add(request({ sent: 3, fault: { code: "dns_error" } }), "refused");
  clock.advance(2_000);
  const second = new Metrics(clock);
  second.connected();
  second.add(request({ received: 5, protocol: "socks5" }), "completed");
  second.add(request({ sent: 1 }), "completed");
  clock.advance(1_000);
  const sum = {
    started: first.totals().started,
    uptime: 3,
    open: 2,
    connections: 2,
    requests: { http: 2, socks5: 1 },
    endings: { refused: 1, completed: 2 },
    faults: { dns_error: 1 },
    sent: 4,
    received: 5,
    ...NONE,
  };
  assertEquals(sumTotals(first.totals(), second.totals()), sum);
  assertEquals(sumTotals(second.totals(), first.totals()), sum);
});

Deno.test("Metrics counts users and routes by name, and the bytes of what is under way", () => {
  const metrics = new Metrics(new VirtualClock());
  metrics.add(request({ user: "ann", route: "direct", sent: 1, received: 2 }), "completed");
  metrics.add(
    request({ user: "ann", route: "http://a:1", fault: { code: "dns_error", blame: "upstream" } }),
    "refused",
  );
  metrics.add(
    request({ user: "bob", route: "direct", fault: { code: "client_timeout", blame: "client" } }),
    "refused",
  );
  const totals = metrics.totals([request({ user: "ann", sent: 10 }), request({ user: "eve", received: 5 })]);
  assertEquals(totals.userRequests, { ann: 2, bob: 1 });
  assertEquals(totals.userSent, { ann: 11, bob: 0, eve: 0 });
  assertEquals(totals.userReceived, { ann: 2, bob: 0, eve: 5 });
  assertEquals(totals.routeRequests, { "direct": 2, "http://a:1": 1 });
  assertEquals(totals.routeFailures, { "direct": 0, "http://a:1": 1 });
  assertEquals([totals.sent, totals.received], [11, 7]);
});

Deno.test("Metrics counts users and routes beyond the first together", () => {
  const metrics = new Metrics(new VirtualClock());
  for (let i = 0; i < 1_010; i++) {
    metrics.add(request({ user: `user${i}`, route: `http://a:${i}`, sent: 1 }), "completed");
  }
  const { userRequests, userSent, routeRequests } = metrics.totals([request({ user: "late", sent: 7 })]);
  assertEquals([Object.keys(userRequests).length, userRequests["(others)"]], [1_001, 10]);
  assertEquals(userSent["(others)"], 17);
  assertEquals([Object.keys(routeRequests).length, routeRequests["(others)"]], [201, 810]);
});

Deno.test("Metrics has histograms by what was asked for, and each bucket has its last request", () => {
  const clock = new VirtualClock();
  const metrics = new Metrics(clock);
  clock.advance(20);
  metrics.add(request({ id: "a-1", method: "GET", began: 0, dialTime: 2, firstByteTime: 6 }), "completed");
  metrics.add(request({ id: "a-2", method: "POST", began: 1, firstByteTime: 7 }), "completed");
  metrics.add(request({ id: "a-3", method: "CONNECT", began: -2_000_000 }), "completed");
  const { durations, dials, firstBytes } = metrics.totals();
  assertEquals(Object.keys(durations), ["exchange", "tunnel"]);
  const at = BUCKETS.indexOf(0.025);
  assertEquals(durations.exchange!.counts[at], 2);
  assertEquals(durations.exchange!.sum, 0.039);
  assertEquals(durations.exchange!.exemplars[at]!.id, "a-2");
  assertEquals(durations.tunnel!.counts.at(-1), 1);
  assertEquals(dials.exchange!.counts[BUCKETS.indexOf(0.0025)], 1);
  assertEquals(firstBytes.exchange!.counts[BUCKETS.indexOf(0.01)], 2);
  const sum = sumTotals(metrics.totals(), metrics.totals());
  assertEquals([sum.durations.exchange!.counts[at], sum.durations.exchange!.sum], [4, 0.078]);
});
