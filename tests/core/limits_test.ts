import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { windowEnd, windowStart } from "../../src/limits/calendar.ts";
import { type Desk, FarDesk, NearDesk } from "../../src/limits/desk.ts";
import type { Noted } from "../../src/limits/counter.ts";
import type { Held } from "../../src/limits/held.ts";
import { LimitsInForce } from "../../src/limits/limits_in_force.ts";
import { MAX_COUNTS, MemoryStore } from "../../src/limits/memory_store.ts";
import type { Ask } from "../../src/limits/store.ts";
import { parseRule } from "../../src/policy/rule.ts";
import type { RuleRequest } from "../../src/policy/rule_request.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const REQUEST: RuleRequest = {
  host: "example.com",
  port: 443,
  protocol: "connect",
  user: "ann",
  client: "192.0.2.1",
};

/** What a new client gets that makes a request: what it holds, or the fault that refuses it. */
function admit(
  limits: LimitsInForce,
  request = REQUEST,
  noted: Noted = { limit: undefined },
): Held | Fault | undefined | Promise<Held | Fault> {
  const held = limits.meet(request, undefined);
  if (held.isEmpty) return undefined;
  const refused = held.begin(noted);
  return refused instanceof Promise ? refused.then((refused) => refused ?? held) : refused ?? held;
}

/** Limits whose time a test sets. */
class Bench {
  readonly clock = new VirtualClock();
  readonly store = new MemoryStore(this.clock);
  readonly reached: string[] = [];
  readonly limits: LimitsInForce;

  constructor(texts: readonly string[], desk?: (bench: Bench) => Desk) {
    this.limits = new LimitsInForce(desk?.(this) ?? new NearDesk(this.store, this.clock), {
      reached: ({ text }) => this.reached.push(text),
    });
    this.use(...texts);
  }

  use(...texts: string[]): void {
    this.limits.use(texts.map((text, i) => parseRule("limit", text, "rules.txt", i + 1)));
  }

  ask(request: Partial<RuleRequest> = {}, noted: Noted = { limit: undefined }): Held | Fault | undefined {
    const answer = admit(this.limits, { ...REQUEST, ...request }, noted);
    assert(!(answer instanceof Promise));
    return answer;
  }

  /** How many of so many requests are admitted and go on. */
  admitted(count: number, request?: Partial<RuleRequest>): number {
    return Array.from({ length: count }, () => this.ask(request)).filter((answer) =>
      !(answer instanceof Fault)
    ).length;
  }
}

/** Moves bytes for some time of the bench's, and returns how many. */
async function move(
  bench: Bench,
  held: Held,
  { time, count = 100_000 }: { time: number; count?: number },
): Promise<number> {
  const end = bench.clock.now() + time;
  let moved = 0;
  let waiting = false;
  const go = async () => {
    while (bench.clock.now() < end) {
      const next = held.down!.next(count);
      waiting = true;
      const allowed = typeof next === "number" ? next : await next;
      waiting = false;
      if (bench.clock.now() < end) moved += allowed;
    }
  };
  const going = go();
  while (bench.clock.now() < end) {
    for (let i = 0; i < 50; i++) await Promise.resolve();
    bench.clock.advance(1);
  }
  bench.clock.advance(5_000);
  for (let i = 0; i < 50 && waiting; i++) await Promise.resolve();
  await going;
  return moved;
}

Deno.test("limits: without one that matches, nothing is held", () => {
  const bench = new Bench([".other.test to 1 connections"]);
  assertEquals(bench.ask(), undefined);
});

Deno.test("limits: connections are those under way, for each user", () => {
  const bench = new Bench(["* to 2 connections per user"]);
  const held = bench.ask() as Held;
  assertEquals(bench.admitted(3), 1);
  assertEquals(bench.admitted(3, { user: "bob" }), 2);
  held.release();
  assertEquals(bench.admitted(3), 1);
  const fault = bench.ask() as Fault;
  assertEquals([fault.code, fault.status, fault.socks5], ["request_limited", 429, 2]);
  assertEquals(fault.message, 'Beyond the limit "limit * to 2 connections per user" (rules.txt:1)');
  assertEquals(fault.happened, "A limit of this proxy is reached: 2 connections for each user.");
});

Deno.test("limits: without per, all that match share one count; clients of one IPv6 /64 do with it", () => {
  const shared = new Bench([".example.com to 2 connections"]);
  assertEquals(shared.admitted(2, { user: "a" }) + shared.admitted(2, { user: "b" }), 2);
  const each = new Bench(["* to 2 connections per client"]);
  assertEquals(each.admitted(2, { client: "2001:db8::1" }) + each.admitted(2, { client: "2001:db8::2" }), 2);
  assertEquals(each.admitted(2, { client: "2001:db8:0:1::1" }), 2);
});

Deno.test("limits: requests come back evenly, and Retry-After says when the next does", () => {
  const bench = new Bench(["* to 4 requests/minute per client"]);
  assertEquals(bench.admitted(10), 4);
  assertEquals((bench.ask() as Fault).retryAfter, 15);
  bench.clock.advance(14_999);
  assertEquals(bench.admitted(1), 0);
  bench.clock.advance(1);
  assertEquals(bench.admitted(2), 1);
  bench.clock.advance(600_000);
  assertEquals(bench.admitted(10), 4);
});

Deno.test("limits: a request that another limit refuses uses nothing up", () => {
  const bench = new Bench(["* to 1 requests/hour per user", "* to 1 connections per client"]);
  const busy = bench.ask({ user: "bob" }) as Held;
  assert(bench.ask() instanceof Fault);
  busy.release();
  assertEquals(bench.admitted(1), 1);
});

Deno.test("limits: a quota of requests begins anew with the next day in UTC", () => {
  const bench = new Bench(["* to 3 requests/day"]);
  bench.clock.advance(3_600_000);
  assertEquals(bench.admitted(5), 3);
  const fault = bench.ask() as Fault;
  assertEquals(fault.retryAfter, 23 * 3_600);
  assertEquals(fault.advice, "Try again on 2026-01-02 at 00:00 UTC.");
  bench.clock.advance(23 * 3_600_000);
  assertEquals(bench.admitted(5), 3);
});

Deno.test("limits: windows are days, weeks from Monday and months, in UTC", () => {
  const time = Date.UTC(2026, 1, 28, 23, 59, 59); // a Saturday
  const windows = (["day", "week", "month"] as const).map((unit) =>
    [windowStart(unit, time), windowEnd(unit, time)].map((time) => new Date(time).toISOString().slice(0, 10))
  );
  assertEquals(windows, [["2026-02-28", "2026-03-01"], ["2026-02-23", "2026-03-02"], [
    "2026-02-01",
    "2026-03-01",
  ]]);
  assertEquals(windowStart("week", Date.UTC(2026, 2, 1)), Date.UTC(2026, 1, 23), "Sunday is the last day");
});

Deno.test("limits: bytes use a quota up, and end the transfer with the same fault", async () => {
  const bench = new Bench(["* to 1000/day per user"]);
  const held = bench.ask() as Held;
  assertEquals(await held.down!.next(600), 600);
  assertEquals(await held.up!.next(600), 400);
  let fault;
  try {
    await held.down!.next(1);
  } catch (error) {
    fault = error as Fault;
  }
  assertEquals(fault?.code, "request_limited");
  held.release();
  assert(bench.ask() instanceof Fault);
  assertEquals(bench.admitted(1, { user: "bob" }), 1);
});

Deno.test("limits: up and down are limited by themselves where the limit names one way", async () => {
  const bench = new Bench(["* to 1000/day down"]);
  const held = bench.ask() as Held;
  assertEquals([held.up, await held.down!.next(5_000)], [undefined, 1_000]);
});

Deno.test("limits: bandwidth is what was set, and not more", async () => {
  for (const rate of [20_000, 1_000_000, 50_000_000]) {
    const bench = new Bench([`* to ${rate}/s`]);
    const moved = await move(bench, bench.ask() as Held, { time: 10_000 });
    assert(Math.abs(moved / (10 * rate) - 1) < 0.03, `${moved} of ${10 * rate}`);
  }
});

Deno.test("limits: flows share a bandwidth fairly, and a small request is not behind the bulk", async () => {
  const bench = new Bench(["* to 1MB/s"]);
  const moved = Array.from({ length: 20 }, () => 0);
  const pump = async (i: number) => {
    const { down } = bench.ask() as Held;
    while (bench.clock.now() < 5_000) {
      const allowed = await down!.next(100_000);
      if (bench.clock.now() < 5_000) moved[i] += allowed;
    }
  };
  for (let i = 0; i < 20; i++) pump(i);
  let waited = 0;
  while (bench.clock.now() < 6_000) {
    for (let i = 0; i < 200; i++) await Promise.resolve();
    bench.clock.advance(1);
    if (bench.clock.now() === 2_000) {
      const { down } = bench.ask() as Held;
      const began = bench.clock.now();
      Promise.resolve(down!.next(1_000)).then(() => waited = bench.clock.now() - began);
    }
  }
  const share = 5_000_000 / 20;
  for (const count of moved) assert(Math.abs(count / share - 1) < 0.1, `${count} of ${share}`);
  // A turn of each of the others would take 40 ms.
  assert(waited <= 15, `It waited ${waited} ms`);
});

Deno.test("limits: the shadow refuses nothing, and tells", async () => {
  const bench = new Bench(["* to 1 connections shadow", "* to 1000/day shadow", "* to 1000/s down shadow"]);
  bench.ask();
  const noted = { limit: undefined as string | undefined };
  const held = bench.ask({}, noted) as Held;
  assertEquals(noted.limit, "limit * to 1 connections shadow (rules.txt:1)");
  assertEquals(await held.up!.next(5_000), 5_000);
  assertEquals(await held.up!.next(5_000), 5_000);
  for (let i = 0; i < 5; i++) assertEquals(held.down!.next(5_000), 1_400);
  assertEquals(new Set(bench.reached).size, 3);
});

Deno.test("limits: datagrams pass or are dropped, and never wait", () => {
  const bench = new Bench(["* to 100000/s up"]);
  const { up } = bench.ask() as Held;
  let passed = 0;
  for (let i = 0; i < 1_000; i++) {
    if (up!.passes(1_000)) passed++;
    bench.clock.advance(1);
  }
  assert(passed >= 97 && passed <= 112, `${passed} passed`);
});

Deno.test("limits: a reload keeps the counts of limits whose text stays", () => {
  const bench = new Bench(["* to 3 requests/day", "* to 2 connections"]);
  const held = bench.ask() as Held;
  bench.use("user=nobody to 1 connections", "* to 2 connections", "* to 3 requests/day");
  assertEquals(bench.admitted(5), 1);
  held.release();
  assertEquals(bench.admitted(5), 1);
  bench.use("* to 4 requests/day");
  assertEquals(bench.admitted(5), 4);
});

Deno.test("limits: ten thousand of them cost a request nothing", () => {
  const texts = Array.from({ length: 10_000 }, (_, i) => `user=user${i} to 1 connections`);
  const bench = new Bench(texts);
  const held = bench.ask({ user: "user777" });
  assert(!(held instanceof Fault) && bench.ask({ user: "user777" }) instanceof Fault);
  assertEquals(bench.ask({ user: "other" }), undefined);
});

Deno.test("limits: strangers with many addresses do not make memory grow without end", () => {
  const bench = new Bench(["* to 1 requests/day per client"]);
  for (let i = 0; i < 102_000; i++) bench.ask({ client: `10.${i >> 16}.${i >> 8 & 255}.${i & 255}` });
  assert(bench.store.size <= MAX_COUNTS + 1, `${bench.store.size} counts`);
  assert(bench.ask({ client: "10.0.0.7" }) instanceof Fault, "A used count is not forgotten");
});

/** A far store that answers after a while of the clock's, and counts messages. */
function far(bench: Bench, { delay, asker }: { delay: number; asker: string }): Desk & { messages: number } {
  const desk = new FarDesk({
    ask: (asks: readonly Ask[], asker: string) => {
      counted.messages++;
      const grants = bench.store.ask(asks, asker);
      return new Promise((resolve) => bench.clock.schedule(delay, () => resolve(grants)));
    },
    forget: () => {},
  }, { clock: bench.clock, asker });
  const counted = Object.assign(desk, { messages: 0 });
  return counted;
}

/** Lets promises and the clock go on. */
async function pass(clock: VirtualClock, time: number): Promise<void> {
  for (let i = 0; i < time; i++) {
    for (let j = 0; j < 30; j++) await Promise.resolve();
    clock.advance(1);
  }
  for (let j = 0; j < 30; j++) await Promise.resolve();
}

Deno.test("limits: workers of one store share connections, and one that has ended leaves its places", async () => {
  const bench = new Bench([]);
  const workers = ["a", "b"].map((asker) => {
    const limits = new LimitsInForce(far(bench, { delay: 2, asker }), { reached() {} });
    limits.use([parseRule("limit", "* to 10 connections", "")]);
    return limits;
  });
  const answers: (Held | Fault | undefined)[] = [];
  for (let i = 0; i < 20; i++) {
    Promise.resolve(admit(workers[i % 2])).then((answer) => answers.push(answer));
  }
  await pass(bench.clock, 20);
  const held = answers.filter((answer) => !(answer instanceof Fault)) as Held[];
  assertEquals([answers.length, held.length], [20, 10]);
  held[0].release();
  await pass(bench.clock, 100);
  const again = admit(workers[0]);
  await pass(bench.clock, 10);
  assert(!(await again instanceof Fault));
  bench.store.forget("a");
  bench.store.forget("b");
  assertEquals(
    bench.store.one({
      limit: "limit * to 10 connections",
      key: "",
      allowance: { kind: "connections", most: 10 },
      want: 99,
    }).granted,
    10,
  );
  for (const limits of workers) limits.close();
});

Deno.test("limits: workers of one store share a quota to its last part, and ask seldom", async () => {
  const bench = new Bench([]);
  const desks = ["a", "b"].map((asker) => far(bench, { delay: 1, asker }));
  let served = 0;
  const limits = desks.map((desk) => {
    const limits = new LimitsInForce(desk, { reached() {} });
    limits.use([parseRule("limit", "* to 100MB/day", "")]);
    return limits;
  });
  const run = async (limits: LimitsInForce) => {
    const held = await admit(limits) as Held;
    try {
      while (true) {
        const allowed = await held.down!.next(50_000);
        served += allowed;
      }
    } catch {
      held.release();
    }
  };
  const running = Promise.all(limits.map(run));
  await pass(bench.clock, 3_000);
  await running;
  assertEquals(served, 100_000_000);
  assert(desks[0].messages < 300, `${desks[0].messages} messages`);
  for (const one of limits) one.close();
});

Deno.test("limits: workers of one store share a bandwidth", async () => {
  const bench = new Bench([]);
  const moved = [0, 0, 0, 0];
  const desks = moved.map((_, i) => far(bench, { delay: 1, asker: String(i) }));
  const until = 5_000;
  const run = async (desk: Desk, i: number) => {
    const limits = new LimitsInForce(desk, { reached() {} });
    limits.use([parseRule("limit", "* to 10MB/s", "")]);
    await Promise.all(Array.from({ length: 5 }, async () => {
      const held = await admit(limits) as Held;
      while (bench.clock.now() < until) {
        const allowed = await held.down!.next(100_000);
        if (bench.clock.now() < until) moved[i] += allowed;
      }
    }));
    limits.close();
  };
  const running = Promise.all(desks.map(run));
  await pass(bench.clock, until + 200);
  await running;
  const sum = moved.reduce((a, b) => a + b);
  assert(Math.abs(sum / 50_000_000 - 1) < 0.03, `${sum}`);
  for (const count of moved) assert(Math.abs(count / (sum / 4) - 1) < 0.1, `${moved}`);
});
