import { assertEquals } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { mergeRecent, Recent } from "../../src/observe/recent.ts";
import { Recording } from "../../src/observe/record.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const CLIENT = { clientName: "192.0.2.1:50000" };

function ended(clock: VirtualClock, request: Partial<Recording>): Recording {
  return Object.assign(new Recording({ id: "a-1", ...CLIENT, services: { clock } }, "http"), request);
}

Deno.test("recent: refusals have the rule and no query, the newest first, and the last hundred of them", () => {
  const clock = new VirtualClock();
  const recent = new Recent();
  for (let i = 0; i < 130; i++) {
    const fault = new Fault("http_request_denied", `Denied by the rule "${i}"`);
    recent.add(CLIENT, ended(clock, { fault, user: "ann", target: "http://a.test/?secret" }));
  }
  const { refusals } = recent.view([]);
  assertEquals([refusals.length, refusals[0].reason, refusals[99].reason], [
    100,
    'Denied by the rule "129"',
    'Denied by the rule "30"',
  ]);
  const { client, user, target, fault } = refusals[0];
  assertEquals([client, user, target, fault], [
    CLIENT.clientName,
    "ann",
    "http://a.test/",
    "http_request_denied",
  ]);
});

Deno.test("recent: a challenge is no refusal, nor is a failure of the target, nor what the operator has closed", () => {
  const clock = new VirtualClock();
  const recent = new Recent();
  for (const code of ["proxy_authentication_required", "dns_error", "connection_closed"] as const) {
    recent.add(CLIENT, ended(clock, { fault: new Fault(code) }));
  }
  assertEquals(recent.view([]).refusals, []);
  const fault = new Fault("proxy_authentication_required");
  recent.add(CLIENT, ended(clock, { fault, triedUser: "mallory" }));
  assertEquals(recent.view([]).refusals.map(({ user }) => user), ["mallory"]);
});

Deno.test("recent: the slowest targets are there once each, for five to ten minutes", () => {
  const clock = new VirtualClock();
  const recent = new Recent();
  const slow = () => recent.view([]).slow.map(({ target, took, what }) => [target, took, what]);
  for (let i = 1; i <= 30; i++) {
    const target = `http://${i % 25}.test:81/x?y`;
    recent.add(CLIENT, ended(clock, { method: "GET", target, firstByteTime: 100 + i }));
  }
  assertEquals(slow().slice(0, 2), [["5.test:81", 130, "answer"], ["4.test:81", 129, "answer"]]);
  assertEquals(slow().length, 20);
  recent.add(CLIENT, ended(clock, { method: "GET", target: "http://fast.test", firstByteTime: 99 }));
  assertEquals(slow().some(([target]) => target === "fast.test"), false);
  clock.advance(300_000);
  const target = "a.test:443";
  recent.add(
    CLIENT,
    ended(clock, { method: "CONNECT", target, dialTime: 120, dnsTime: 2, firstByteTime: 9_000 }),
  );
  assertEquals(slow()[8], [target, 122, "connect"]);
  clock.advance(300_000);
  recent.add(CLIENT, ended(clock, { method: "CONNECT", target, dialTime: 101 }));
  assertEquals(slow(), [[target, 122, "connect"]]);
  clock.advance(900_000);
  recent.add(CLIENT, ended(clock, { method: "CONNECT", target, dialTime: 101 }));
  assertEquals(slow(), [[target, 101, "connect"]]);
});

Deno.test("recent: upstreams have the time of a dial, and whether they fail, over several proxies", () => {
  const clock = new VirtualClock();
  const [one, other] = [new Recent(), new Recent()];
  for (const dialTime of [10, 20]) {
    one.add(CLIENT, ended(clock, { method: "CONNECT", route: "http://a:1", dialTime }));
  }
  one.add(CLIENT, ended(clock, { method: "CONNECT", route: "direct", dialTime: 5 }));
  const merged = mergeRecent([one.view([]), other.view(["http://a:1", "socks5://b:2"])]);
  assertEquals(merged.upstreams, [
    { route: "http://a:1", dialTime: 12, failing: true },
    { route: "socks5://b:2", dialTime: undefined, failing: true },
  ]);
});
