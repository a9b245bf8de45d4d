import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { Attempts, Gate, sourceOf } from "../../src/policy/attempts.ts";
import type { Authenticate } from "../../src/services.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { hear, hearAll, say, VirtualNetwork } from "../support/virtual_network.ts";

/** Lets everything happen that waits for nothing. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Attempts that count what was judged. */
class Guesser {
  readonly clock = new VirtualClock();
  readonly attempts: Attempts;
  judged = 0;
  denied = 0;

  constructor(perMinute: number) {
    this.attempts = new Attempts({ clock: this.clock, perMinute });
  }

  /** Makes so many attempts at once. */
  async guess(
    count: number,
    options: { source?: string; right?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { source = "192.0.2.1", right = false, signal } = options;
    for (let made = 0; made < count; made++) {
      this.attempts.attempt(source, () => {
        this.judged++;
        return right;
      }, signal).catch(() => this.denied++);
    }
    await settled();
  }

  async pass(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds);
    await settled();
  }
}

Deno.test("wrong attempts are free up to the limit; after that one is judged each time one has come back", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(30);
  assertEquals(guesser.judged, 20);
  await guesser.pass(2_999);
  assertEquals(guesser.judged, 20);
  await guesser.pass(1);
  assertEquals(guesser.judged, 21);
  await guesser.pass(3_000 * 9);
  assertEquals([guesser.judged, guesser.clock.pending], [30, 0]);
  await guesser.guess(1);
  assertEquals(guesser.judged, 30);
  await guesser.pass(60_000 + 3_000);
  await guesser.guess(30);
  assertEquals(guesser.judged, 31 + 20);
});

Deno.test("no more is ever judged in a minute than the limit and what comes back, for any limit", async () => {
  for (const perMinute of [1, 7, 20, 60, 997]) {
    const guesser = new Guesser(perMinute);
    await guesser.guess(perMinute);
    let made = perMinute;
    for (let second = 1; second <= 120; second++) {
      await guesser.guess(3);
      made += 3;
      await guesser.pass(1_000);
      assertEquals(
        guesser.judged <= perMinute + Math.floor(second / 60 * perMinute),
        true,
        `${perMinute}: ${second} s`,
      );
      if (made >= 3 * perMinute + 60) break;
    }
  }
});

Deno.test("sources do not wait for one another, and right attempts cost nothing and leave nothing", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(40, { source: "192.0.2.1" });
  await guesser.guess(1_000, { source: "192.0.2.2", right: true });
  assertEquals([guesser.judged, guesser.attempts.size], [20 + 1_000, 1]);
});

Deno.test("an attempt that waits for its turn and is right lets the next one in", async () => {
  const guesser = new Guesser(2);
  await guesser.guess(2);
  await guesser.guess(5, { right: true });
  assertEquals(guesser.judged, 2);
  await guesser.pass(30_000);
  assertEquals(guesser.judged, 7);
});

Deno.test("attempts that are given up leave their place to others, and no timer behind", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(20);
  const controller = new AbortController();
  await guesser.guess(10, { signal: controller.signal });
  await guesser.guess(1);
  assertEquals(guesser.clock.pending, 1);
  controller.abort();
  await settled();
  assertEquals([guesser.denied, guesser.clock.pending], [10, 1]);
  await guesser.pass(3_000);
  assertEquals([guesser.judged, guesser.clock.pending], [21, 0]);
  await guesser.guess(1, { signal: controller.signal });
  assertEquals(guesser.denied, 11);
  const another = new AbortController();
  await guesser.guess(5, { signal: another.signal });
  assertEquals(guesser.clock.pending, 1);
  another.abort();
  assertEquals(guesser.clock.pending, 0);
});

Deno.test("attempts beyond those that may wait are denied unjudged", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(20);
  await guesser.guess(50);
  assertEquals([guesser.judged, guesser.denied], [20, 0]);
  await guesser.guess(930);
  assertEquals([guesser.judged, guesser.denied], [20, 930]);
  const { code } = await assertRejects(() => guesser.attempts.attempt("192.0.2.1", () => true), Fault);
  assertEquals(code, "proxy_authentication_required");
});

Deno.test("many at once are not denied while the judge has most of the budget in hand", async () => {
  const attempts = new Attempts({ clock: new VirtualClock(), perMinute: 20 });
  const judged: ((right: boolean) => void)[] = [];
  const all = Array.from(
    { length: 500 },
    () => attempts.attempt("192.0.2.1", () => new Promise<boolean>((resolve) => judged.push(resolve))),
  );
  for (let done = 0; done < 500; done++) {
    await settled();
    assertEquals(judged.length, Math.min(done + 20, 500));
    judged[done](true);
  }
  assertEquals((await Promise.all(all)).every((right) => right), true);
  assertEquals(attempts.size, 0);
});

Deno.test("a judge that throws is heard, and its attempt is not given back", async () => {
  const guesser = new Guesser(1);
  await assertRejects(
    () => guesser.attempts.attempt("192.0.2.1", () => Promise.reject(new Error("down"))),
    Error,
    "down",
  );
  await guesser.guess(1);
  assertEquals(guesser.judged, 0);
});

Deno.test("10,000 sources are told apart; all beyond share one budget, and nobody is forgotten for them", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(20, { source: "192.0.2.1" });
  for (let source = 1; source < 10_000; source++) guesser.guess(1, { source: `source ${source}` });
  await settled();
  assertEquals([guesser.judged, guesser.attempts.size], [20 + 9_999, 10_000]);
  guesser.judged = 0;
  for (let source = 0; source < 60; source++) guesser.guess(1, { source: `another ${source}` });
  await guesser.guess(1, { source: "192.0.2.1" });
  assertEquals([guesser.judged, guesser.attempts.size], [20, 10_001]);
  await guesser.guess(1, { source: "source 1" });
  assertEquals(guesser.judged, 21);
  // Those who tried once are as new after three seconds, and make room.
  await guesser.pass(3_000);
  guesser.judged = 0;
  await guesser.guess(20, { source: "one more" });
  assertEquals([guesser.judged, guesser.attempts.size < 10], [20, true]);
});

Deno.test("a client is counted by its IPv4 address, the /64 of its IPv6 address, or as a Unix socket", () => {
  const cases: [client: string, source: string][] = [
    ["192.0.2.1:4711", "192.0.2.1"],
    ["[::ffff:192.0.2.1]:4711", "192.0.2.1"],
    ["[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"],
    ["[2001:db8:1:2::9]:1", "2001:db8:1:2::/64"],
    ["[::1]:1", "::/64"],
    ["unix:", "unix:"],
    ["elsewhere:80", "elsewhere"],
  ];
  assertEquals(cases.map(([client]) => [client, sourceOf(client)]), cases);
});

/** A gate whose only user is ann, with the password "right". */
class GateTest {
  readonly clock = new VirtualClock();
  readonly signal = new AbortController().signal;
  readonly asked: string[] = [];
  readonly gate: Gate;

  constructor(perMinute = 20) {
    const authenticate: Authenticate = ({ user, password }) => {
      this.asked.push(`${user}:${password}`);
      return user === "ann" && password === "right";
    };
    this.gate = new Gate(authenticate, { clock: this.clock, perMinute });
  }

  /** What is answered at once. */
  async admit(user: string, password: string, client = "192.0.2.1:1"): Promise<boolean | "waits" | "denied"> {
    const admitted = (async () => {
      try {
        return await this.gate.admit({ user, password, client, protocol: "http" }, this.signal);
      } catch {
        return "denied";
      }
    })();
    return await Promise.race([admitted, settled().then(() => "waits" as const)]);
  }

  async guess(count: number, user: string): Promise<void> {
    for (let made = 0; made < count; made++) await this.admit(user, `wrong ${made}`);
  }
}

Deno.test("a user who was let in before is let in beside a neighbour who guesses; a new one waits", async () => {
  const test = new GateTest();
  assertEquals(await test.admit("ann", "right"), true);
  await test.guess(30, "eve");
  for (let request = 0; request < 100; request++) assertEquals(await test.admit("ann", "right"), true);
  assertEquals(await test.admit("bob", "right"), "waits");
  assertEquals(await test.admit("ann", "right", "192.0.2.2:1"), true);
});

Deno.test("the budget of a user who was let in is no way to guess their password at once", async () => {
  const test = new GateTest();
  await test.admit("ann", "right");
  await test.guess(1_000, "ann");
  // 20 of the user's own, and of the source's those that the 20 left over, which were paid for afterwards.
  assertEquals(test.asked.length <= 1 + 20 + 20, true, String(test.asked.length));
  assertEquals(await test.admit("ann", "right"), "denied");
  test.clock.advance(60_000);
  await settled();
  assertEquals(await test.admit("ann", "right"), true);
});

Deno.test("where attempts have to wait, a wrong password does too, whether its name was let in before or not", async () => {
  const test = new GateTest();
  await test.admit("ann", "right");
  await test.guess(20, "eve");
  assertEquals(await test.admit("ann", "wrong"), "waits");
  assertEquals(await test.admit("eve", "wrong"), "waits");
});

Deno.test("credentials that are wrong by now do not pass, whatever they were", async () => {
  let password = "old";
  const clock = new VirtualClock();
  const gate = new Gate((request) => request.password === password, { clock, perMinute: 20 });
  const ask = (password: string) =>
    gate.admit({ user: "ann", password, client: "unix:", protocol: "socks5" }, new AbortController().signal);
  assertEquals(await ask("old"), true);
  password = "new";
  assertEquals([await ask("old"), await ask("new")], [false, true]);
});

const REQUEST = (credentials: string) =>
  `GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nProxy-Authorization: Basic ${
    btoa(credentials)
  }\r\n\r\n`;

Deno.test("a client whose attempts are used up waits for its answer, and is cut when its time is up", async () => {
  const network = await VirtualNetwork.start({
    authenticate: ({ password }) => password === "right",
    limits: { attempts: 2 },
    timeouts: { header: 31_000 },
  });
  const first = network.connect();
  for (let attempt = 0; attempt < 2; attempt++) {
    await say(first.client, REQUEST("ann:wrong"));
    assertStringIncludes(await hear(first.client, /\r\n\r\n[^]*\.\n/), "HTTP/1.1 407 ");
  }
  const [second, third] = [network.connect(), network.connect()];
  await say(second.client, REQUEST("ann:wrong"));
  await settled();
  await say(third.client, REQUEST("ann:right"));
  await settled();
  network.clock.advance(30_000);
  assertStringIncludes(await hear(second.client, /\r\n\r\n[^]*\.\n/), "HTTP/1.1 407 ");
  network.clock.advance(1_000);
  await third.done;
  assertEquals(network.transitions.includes("authenticating -timedOut→ closing"), true);
  assertEquals(network.dialed, []);
});

Deno.test("a client that is one too many to wait gets the answer that every wrong password gets", async () => {
  const network = await VirtualNetwork.start({ authenticate: () => false, limits: { attempts: 1 } });
  const answers: string[] = [];
  for (let made = 0; made < 53; made++) {
    const { client } = network.connect();
    await say(client, "\x05\x01\x02\x01\x03ann\x05wrong");
    await settled();
    if (made === 0 || made > 50) answers.push(await hearAll(client));
  }
  assertEquals(answers, Array(3).fill("\x05\x02\x01\x01"));
});

Deno.test("authenticate() is told when nobody waits for its answer any more", async () => {
  const signals: AbortSignal[] = [];
  const network = await VirtualNetwork.start({
    authenticate: ({ password }, signal) => {
      signals.push(signal);
      return password === "right" ? true : new Promise(() => {});
    },
  });
  const { client, done } = network.connect();
  await say(client, "\x05\x01\x02\x01\x03ann\x05never");
  await settled();
  assertEquals(signals.map(({ aborted }) => aborted), [false]);
  network.clock.advance(10_000);
  await done;
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
});
