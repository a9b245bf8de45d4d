import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { SILENT_LOG } from "../../src/observe/log.ts";
import { needIpBlock } from "../../src/addresses/ip_block.ts";
import { Admission, type AdmissionOptions, type Entry } from "../../src/policy/admission.ts";
import { CountedPlaces } from "../../src/policy/places.ts";
import { configure } from "../../src/proxy/configuration.ts";
import { UsageError } from "../../src/text/usage_error.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

function admitting(options: Partial<AdmissionOptions> = {}) {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const log = { ...SILENT_LOG, warn: (message: string) => void warnings.push(message) };
  const admission = new Admission({ clock, log, limit: 10, places: undefined, clients: [], ...options });
  return { admission, clock, warnings };
}

function codeOf({ refusal }: Entry): string | undefined {
  return refusal instanceof Fault ? refusal.code : undefined;
}

function client(host: string): { host: string; port: number } {
  return { host, port: 40_000 };
}

Deno.test("Admission refuses what is beyond the limit, and counts out what has ended", () => {
  const { admission, warnings } = admitting({ limit: 2 });
  const entries = [1, 2, 3].map(() => admission.enter(client("192.0.2.1")));
  assertEquals(entries.map(codeOf), [
    undefined,
    undefined,
    "connection_limit_reached",
  ]);
  assertEquals([admission.surplus, warnings.length], [2, 1]);
  for (const entry of entries) entry.release();
  assertEquals([admission.surplus, admission.enter(client("192.0.2.1")).refusal], [0, undefined]);
});

Deno.test("Admission tells the operator at once, and then once a minute", () => {
  const { admission, clock, warnings } = admitting({ limit: 1 });
  for (let i = 0; i < 5; i++) admission.enter(undefined);
  assertEquals(warnings.length, 1);
  clock.advance(60_000);
  admission.enter(undefined);
  assertEquals(warnings.length, 2);
  assertMatch(warnings[0], /^Refusing clients: 1 are connected/);
});

Deno.test("Admission counts a source: an IPv4 address, mapped or not, and the /64 of an IPv6 address", () => {
  const { admission } = admitting({ places: new CountedPlaces(1) });
  const hosts: [host: string, served: boolean][] = [
    ["192.0.2.1", true],
    ["192.0.2.1", false],
    ["::ffff:192.0.2.1", false],
    ["192.0.2.2", true],
    ["2001:db8::1", true],
    ["2001:db8::ffff:1", false],
    ["2001:db8:0:1::1", true],
  ];
  for (const [host, served] of hosts) {
    assertEquals(admission.enter(client(host)).refusal === undefined, served, host);
  }
});

Deno.test("Admission counts no source of Unix sockets and load balancers, and forgets those that are gone", () => {
  const { admission } = admitting({ places: new CountedPlaces(1) });
  for (const nobody of [{ path: "" }, { path: "" }, undefined, undefined]) {
    assertEquals(admission.enter(nobody).refusal, undefined);
  }
  const first = admission.enter(client("192.0.2.1"));
  const second = admission.enter(client("192.0.2.1"));
  assertEquals([codeOf(first), codeOf(second)], [undefined, "connection_limit_reached"]);
  first.release();
  second.release();
  assertEquals(admission.enter(client("192.0.2.1")).refusal, undefined);
});

Deno.test("Admission makes room for an association as for another connection, once", () => {
  const { admission } = admitting({ limit: 3 });
  admission.enter(undefined);
  const release = admission.claimAssociation();
  admission.claimAssociation();
  assertEquals(assertThrows(() => admission.claimAssociation(), Fault).code, "connection_limit_reached");
  release();
  release();
  admission.claimAssociation();
  assertThrows(() => admission.claimAssociation(), Fault);
});

Deno.test("Admission serves clients of the blocks alone, where there are any, and those on Unix sockets", () => {
  const { admission } = admitting({ clients: ["10.0.0.0/8", "2001:db8::/32"].map(needIpBlock) });
  const served = ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.1", "::1"]
    .filter((host) => admission.refuse(client(host)) === undefined);
  assertEquals(served, ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"]);
  assertEquals(admission.refuse({ path: "" }), undefined);
  assertEquals(admitting().admission.refuse(client("192.0.2.1")), undefined);
  assertThrows(() => configure({ allowClients: ["10.1.2.3/8"] }), UsageError, 'write "10.0.0.0/8"');
});

Deno.test("Admission counts a client that a load balancer announces", () => {
  const { admission } = admitting({ places: new CountedPlaces(1) });
  const entries = ["192.0.2.1", "192.0.2.2", "192.0.2.1"].map((host) => {
    const entry = admission.enter(undefined);
    entry.claim(client(host));
    return entry;
  });
  assertEquals(entries.map(codeOf), [undefined, undefined, "connection_limit_reached"]);
});

Deno.test("Admission asks whoever counts for several proxies, and gives a place back that comes too late", async () => {
  const answers: ((taken: boolean) => void)[] = [];
  const given: string[] = [];
  const { admission } = admitting({
    places: {
      take: () => new Promise((resolve) => answers.push(resolve)),
      give: (source) => given.push(source),
    },
  });
  const entries = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((host) => admission.enter(client(host)));
  const pending = entries.map(({ refusal }) => refusal);
  entries[2].release();
  for (const [i, answer] of answers.entries()) answer(i !== 1);
  await Promise.all(pending);
  assertEquals(entries.map(codeOf), [undefined, "connection_limit_reached", undefined]);
  assertEquals(given, ["192.0.2.3"]);
  entries[0].release();
  entries[1].release();
  assertEquals(given, ["192.0.2.3", "192.0.2.1"]);
});
