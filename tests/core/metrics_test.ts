import { assertEquals } from "@std/assert";
import { Metrics, sumTotals } from "../../src/observe/metrics.ts";
import type { AccessRecord } from "../../src/observe/record.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function record(options: Partial<AccessRecord>): AccessRecord {
  return {
    time: new Date(0),
    id: "1",
    client: "192.0.2.1:1",
    user: undefined,
    triedUser: undefined,
    protocol: "http",
    method: "GET",
    target: "http://a.test/",
    route: "direct",
    dialed: undefined,
    status: 200,
    fault: undefined,
    reason: undefined,
    sent: 0,
    received: 0,
    datagrams: undefined,
    dnsTime: undefined,
    dialTime: undefined,
    firstByteTime: undefined,
    duration: 0,
    ending: "completed",
    ...options,
  };
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
  metrics.add(record({ sent: 3, received: 5 }));
  metrics.add(record({ protocol: "socks5", ending: "refused", fault: "dns_error", sent: 1 }));
  metrics.add(record({ protocol: undefined, ending: "timed out", fault: "client_timeout" }));
  metrics.add(record({ protocol: "socks5", received: 2 ** 40 }));
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
  metrics.add(record({ fault: "dns_error" }));
  assertEquals([before.requests, before.endings, before.faults], [{}, {}, {}]);
});

Deno.test("sumTotals() adds up what several have done since the first of them started", () => {
  const clock = new VirtualClock();
  const first = new Metrics(clock);
  first.connected();
  first.add(record({ sent: 3, fault: "dns_error", ending: "refused" }));
  clock.advance(2_000);
  const second = new Metrics(clock);
  second.connected();
  second.add(record({ received: 5, protocol: "socks5" }));
  second.add(record({ sent: 1 }));
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
