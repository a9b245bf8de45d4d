import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { Attempts, Gate } from "../../src/policy/attempts.ts";
import { sourceOf } from "../../src/policy/sources.ts";
import type { Authenticate } from "../../src/policy/authentication.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { hear, hearAll, say, VirtualNetwork } from "../support/virtual_network.ts";

/** Lets everything happen that waits for nothing. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const ANN = { source: "192.0.2.1", user: "ann" };

/** Attempts that count what was judged. */
class Guesser {
  readonly clock = new VirtualClock();
  readonly attempts: Attempts;
  /** The names that were judged, in order. */
  readonly users: string[] = [];
  judged = 0;
  denied = 0;

  constructor(perMinute: number) {
    this.attempts = new Attempts({ clock: this.clock, perMinute });
  }

  /** Makes so many attempts at once. */
  async guess(
    count: number,
    options: { source?: string; user?: string; right?: boolean; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { source = "192.0.2.1", user = "ann", right = false, signal } = options;
    for (let made = 0; made < count; made++) {
      this.attempts.attempt({ source, user }, () => {
        this.judged++;
        this.users.push(user);
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

Deno.test("of attempts beyond those that may wait, one is refused unjudged for each that comes", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(20);
  await guesser.guess(50);
  assertEquals([guesser.judged, guesser.denied], [20, 0]);
  await guesser.guess(930);
  assertEquals([guesser.judged, guesser.denied], [20, 930]);
  const refused = assertRejects(() => guesser.attempts.attempt(ANN, () => true), Fault);
  await guesser.guess(50, { user: "bob" });
  assertEquals((await refused).code, "authentication_unavailable");
});

Deno.test("names that were not wrong lately come first, and of those the latest", async () => {
  const guesser = new Guesser(20);
  await guesser.guess(20);
  guesser.users.length = 0;
  await guesser.guess(50, { user: "ann" });
  for (const user of ["bob", "eve", "zoe"]) await guesser.guess(2, { user });
  for (let turn = 0; turn < 7; turn++) await guesser.pass(3_000);
  // Each has had a turn before anybody has two.
  assertEquals(guesser.users, ["zoe", "eve", "bob", "ann", "zoe", "eve", "bob"]);
});

Deno.test("many at once are not denied while the judge has most of the budget in hand", async () => {
  const attempts = new Attempts({ clock: new VirtualClock(), perMinute: 20 });
  const judged: ((right: boolean) => void)[] = [];
  const all = Array.from(
    { length: 500 },
    () => attempts.attempt(ANN, () => new Promise<boolean>((resolve) => judged.push(resolve))),
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
    () => guesser.attempts.attempt(ANN, () => Promise.reject(new Error("down"))),
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

  async admitted(user: string, password: string, client = "192.0.2.1:1"): Promise<boolean | "denied"> {
    try {
      return await this.gate.admit({ user, password, client, protocol: "http" }, this.signal);
    } catch {
      return "denied";
    }
  }

  /** What is answered at once. */
  async admit(user: string, password: string, client?: string): Promise<boolean | "waits" | "denied"> {
    const admitted = this.admitted(user, password, client);
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
  assertEquals(await test.admit("ann", "right"), "waits");
  test.clock.advance(60_000);
  await settled();
  assertEquals(await test.admit("ann", "right"), true);
});

Deno.test("many sources that guess at one name get no further together; the user still gets in, and so do others", async () => {
  const test = new GateTest(5);
  assertEquals(await test.admit("ann", "right", "198.51.100.1:1"), true);
  for (let source = 0; source < 40; source++) {
    for (let made = 0; made < 4; made++) {
      await test.admit("ann", `wrong ${source} ${made}`, `192.0.2.${source}:1`);
    }
  }
  const judged = test.asked.length - 1;
  assertEquals(judged, 50, "Ten times as many as one source may");
  assertEquals(await test.admit("bob", "wrong", "203.0.113.1:1"), false, "Another name does not wait");
  assertEquals(await test.admit("ann", "right", "198.51.100.1:1"), true, "Where ann was let in before");
  // From elsewhere ann comes before all that were wrong, and waits for one of 50 turns a minute.
  let admitted: unknown;
  test.admitted("ann", "right", "203.0.113.7:1").then((answer) => admitted = answer);
  await settled();
  assertEquals(admitted, undefined);
  test.clock.advance(1_200);
  await settled();
  assertEquals(admitted, true);
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

Deno.test("a client whose attempts are used up waits for its answer, and is told when its time is up", async () => {
  const network = await VirtualNetwork.start({
    authenticate: ({ password }) => password === "right",
    limits: { attempts: 2 },
    timeouts: { header: 29_000 },
  });
  const first = network.connect();
  for (let attempt = 0; attempt < 2; attempt++) {
    await say(first.client, REQUEST("ann:wrong"));
    assertStringIncludes(await hear(first.client, /\r\n\r\n[^]*\.\n/), "HTTP/1.1 407 ");
  }
  const clients = ["http", "socks5"].map(() => network.connect().client);
  await say(clients[0], REQUEST("ann:wrong"));
  await say(clients[1], "\x05\x01\x02\x01\x03ann\x05right");
  await settled();
  network.clock.advance(29_000);
  const [page, reply] = await Promise.all(clients.map(hearAll));
  assertStringIncludes(page, "HTTP/1.1 503 Service Unavailable\r\n");
  assertStringIncludes(page, "\r\nRetry-After: 10\r\n");
  assertEquals(reply, "\x05\x02\x01\x01");
  assertEquals(
    network.records.slice(2).map(({ ending, fault, status }) => [ending, fault, status]),
    [["refused", "authentication_unavailable", 503], ["refused", "authentication_unavailable", 1]],
  );
  assertEquals(network.dialed, []);
});

Deno.test("a client that is one too many to wait is told, and leaves a record", async () => {
  const network = await VirtualNetwork.start({ authenticate: () => false, limits: { attempts: 1 } });
  const clients = Array.from({ length: 53 }, () => network.connect().client);
  for (const client of clients) {
    await say(client, "\x05\x01\x02\x01\x03ann\x05wrong");
    await settled();
  }
  // The first was judged. Of those who then waited, the two who did so longest have made room.
  const answers = await Promise.all(clients.slice(0, 3).map(hearAll));
  assertEquals(answers, Array(3).fill("\x05\x02\x01\x01"));
  assertEquals(network.records.map(({ fault }) => fault), [
    "proxy_authentication_required",
    "authentication_unavailable",
    "authentication_unavailable",
  ]);
});

Deno.test("40 clients with stale passwords behind one address keep a new user waiting for one turn, whatever their names", async () => {
  for (const name of [() => "ann", (index: number) => `user${index}`]) {
    const test = new GateTest();
    for (let index = 0; index < 40; index++) test.admit(name(index), "stale");
    await settled();
    const asked = test.asked.length;
    const ann = test.admitted("ann", "right");
    await settled();
    assertEquals(test.asked.length, asked);
    test.clock.advance(3_000);
    assertEquals(await ann, true);
  }
});

Deno.test("a /56 may be wrong twice as often as a /64, a /48 three times; whoever was let in before still is", async () => {
  const guesses = async (test: GateTest, address: (index: number) => string): Promise<number> => {
    for (let index = 0; index < 400; index++) await test.admit("ann", "wrong", `[${address(index)}]:1`);
    return test.asked.length;
  };
  assertEquals(await guesses(new GateTest(), () => "2001:db8:1:100::1"), 20);
  assertEquals(
    await guesses(new GateTest(), (index) => `2001:db8:1:1${(index % 256).toString(16).padStart(2, "0")}::1`),
    40,
  );
  const test = new GateTest();
  assertEquals(await test.admit("ann", "right", "[2001:db8:1:ffff::1]:1"), true);
  test.asked.length = 0;
  assertEquals(await guesses(test, (index) => `2001:db8:1:${(index * 256 % 65_536).toString(16)}::1`), 60);
  assertEquals(await test.admit("bob", "wrong", "[2001:db8:1:abcd::1]:1"), "denied");
  assertEquals(await test.admit("ann", "right", "[2001:db8:1:ffff::1]:1"), true);
  // Nobody elsewhere is held up, and what is used up comes back.
  assertEquals(await test.admit("ann", "right", "[2001:db8:2::1]:1"), true);
  test.clock.advance(1_000);
  assertEquals(await test.admit("bob", "wrong", "[2001:db8:1:abcd::1]:1"), false);
});

Deno.test("where one customer of a /48 guesses in its /56, its neighbours are not refused", async () => {
  const test = new GateTest();
  for (let index = 0; index < 400; index++) {
    await test.admit("ann", "wrong", `[2001:db8:1:1${(index % 256).toString(16).padStart(2, "0")}::1]:1`);
  }
  assertEquals(await test.admit("ann", "right", "[2001:db8:1:200::1]:1"), true);
});

Deno.test("who makes no mistakes leaves no trace of address or block", async () => {
  const attempts = new Attempts({ clock: new VirtualClock(), perMinute: 20 });
  const blocks = [{ name: "2001:db8::/56", times: 2 }, { name: "2001:db8::/48", times: 3 }];
  assertEquals(await attempts.attempt({ source: "2001:db8::/64", blocks, user: "ann" }, () => true), true);
  assertEquals(attempts.size, 0);
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
  assertEquals(await hearAll(client), "\x05\x02\x01\x01");
  await client.writer.close();
  await done;
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
});
