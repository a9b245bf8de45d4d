import { assertEquals } from "@std/assert";
import { type CountedRequest, Metrics, sumTotals } from "../../src/observe/metrics.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function request(options: Partial<CountedRequest>): CountedRequest {
  return { protocol: "http", fault: undefined, sent: 0, received: 0, ...options };
}

Deno.test("Metrics counts records by protocol, ending and fault, and adds their bytes up", () => {
  const clock = new VirtualClock();
  const started = clock.date().getTime();
  const metrics = new Metrics(clock);
  const nothing = { requests: {}, endings: {}, faults: {}, sent: 0, received: 0 };
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
  };
  assertEquals(sumTotals(first.totals(), second.totals()), sum);
  assertEquals(sumTotals(second.totals(), first.totals()), sum);
});
