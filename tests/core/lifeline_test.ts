import { assertEquals, assertMatch } from "@std/assert";
import { Deadlines } from "../../src/runtime/deadlines.ts";
import type { Fault } from "../../src/faults.ts";
import type { Address, ByteStream } from "../../src/runtime/contract.ts";
import { Lifelines } from "../../src/dialing/lifeline.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { hear, say, until, VirtualNetwork } from "../support/virtual_network.ts";

/** A tunnel as its lifeline sees it. */
class Cable {
  sent = 0;
  received = 0;
  fault: Fault | undefined;

  cut(fault: Fault): void {
    this.fault = fault;
  }

  get lives(): boolean {
    return this.fault === undefined;
  }
}

/** What happens to who dials. */
type Fate =
  | "accepts"
  | "hangs"
  | "connection_refused"
  | "destination_ip_unroutable"
  | "connection_limit_reached";

function setUp() {
  const clock = new VirtualClock();
  const world = { fate: "accepts" as Fate, dialed: [] as string[], open: 0 };
  const dial = async (to: Address, { signal }: { signal?: AbortSignal } = {}): Promise<ByteStream> => {
    world.dialed.push("host" in to ? to.host : to.path);
    if (world.fate === "hangs") {
      return await new Promise((_, reject) =>
        signal!.addEventListener("abort", () => reject(signal!.reason))
      );
    }
    if (world.fate !== "accepts") {
      throw Object.assign(new Error(`Cannot: ${world.fate}`), { code: world.fate });
    }
    const [near, far] = memoryPair();
    world.open++;
    far.readable.getReader().read().finally(() => world.open--).catch(() => {});
    return near;
  };
  const lifelines = new Lifelines({ runtime: { dial }, clock, deadlines: new Deadlines(clock) });
  const hold = (host = "192.0.2.1", cable = new Cable(), via = `https://up.test:8443`) => {
    const held = lifelines.hold({ chain: parseChain(via), address: { host, port: 8443 } }, cable, cable)!;
    return { cable, held };
  };
  /** Lets time pass, second by second, as it does; each with whatever it brings. */
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  };
  return { clock, world, lifelines, hold, pass };
}

Deno.test("Lifelines make no probe while bytes come through one of the tunnels", async () => {
  const { world, hold, pass } = setUp();
  const [first, second] = [hold(), hold()];
  for (let i = 0; i < 6; i++) {
    first.cable.received++;
    second.cable.sent++;
    await pass(10);
  }
  assertEquals(world.dialed, []);
  world.fate = "hangs";
  await pass(30);
  assertEquals([first.cable.lives, second.cable.lives], [false, false]);
});

Deno.test("Lifelines that reach the upstream say nothing to it, and leave its silent tunnels alone", async () => {
  const { world, hold, pass } = setUp();
  const { cable } = hold();
  await pass(60);
  assertEquals(world.dialed, Array(5).fill("192.0.2.1"));
  assertEquals([cable.lives, world.open], [true, 0]);
});

Deno.test("Lifelines cut what has been silent since the probe began, within 30 s, and say why", async () => {
  const { clock, world, hold, pass } = setUp();
  const [silent, sending, answered] = [hold(), hold(), hold()];
  // Just before the first look, which is thus of no use.
  await pass(9);
  silent.cable.received++;
  world.fate = "hangs";
  await pass(12);
  sending.cable.sent++;
  answered.cable.received++;
  const late = hold();
  await pass(6);
  assertEquals([silent, sending, answered, late].map(({ cable }) => cable.lives), [true, true, true, true]);
  await pass(1);
  assertEquals(clock.now(), 28_000);
  assertEquals([silent, sending, answered, late].map(({ cable }) => cable.lives), [false, false, true, true]);
  const { code, message } = silent.cable.fault!;
  assertEquals(code, "connection_read_timeout");
  assertEquals(
    message,
    "https://up.test:8443: Nothing comes, and it cannot be reached: No connection within 8000 ms",
  );
});

Deno.test("Lifelines repeat a probe that fails at once: what is back within 8 s has lost nothing", async () => {
  const { world, hold, pass } = setUp();
  const { cable } = hold();
  world.fate = "destination_ip_unroutable";
  await pass(25);
  assertEquals([cable.lives, world.dialed.length], [true, 3]);
  world.fate = "accepts";
  await pass(20);
  assertEquals(cable.lives, true);
  world.fate = "destination_ip_unroutable";
  await pass(20);
  assertMatch(cable.fault!.message, /^https:\/\/up\.test:8443: .*Cannot: destination_ip_unroutable$/);
});

Deno.test("Lifelines cut idle tunnels of an upstream that refuses, and none that send: those would be reset", async () => {
  const { world, hold, pass } = setUp();
  const [idle, sending] = [hold(), hold()];
  world.fate = "connection_refused";
  for (let i = 0; i < 40; i++) {
    sending.cable.sent++;
    await pass(1);
  }
  assertEquals([idle.cable.lives, sending.cable.lives], [false, true]);
  await pass(20);
  assertEquals(sending.cable.lives, false);
});

Deno.test("Lifelines cut nobody for what we lack ourselves", async () => {
  const { world, hold, pass } = setUp();
  const { cable } = hold();
  world.fate = "connection_limit_reached";
  await pass(60);
  assertEquals([cable.lives, world.dialed.length], [true, 5]);
});

Deno.test("Lifelines look at nothing once the last tunnel is gone, and give up the probe under way", async () => {
  const { clock, world, hold, pass } = setUp();
  const [first, second] = [hold(), hold()];
  first.held.release();
  assertEquals(clock.pending, 1);
  second.held.release();
  assertEquals(clock.pending, 0);
  const third = hold();
  world.fate = "hangs";
  await pass(21);
  assertEquals([world.dialed.length, clock.pending], [1, 2]);
  third.held.release();
  await until(() => clock.pending === 0);
  await pass(30);
  assertEquals([third.cable.lives, world.dialed.length], [true, 1]);
});

Deno.test("Lifelines of two upstreams are two, and of an upstream at two addresses", async () => {
  const { world, hold, pass } = setUp();
  const [dead, alive] = [hold("192.0.2.1"), hold("192.0.2.2")];
  for (let i = 0; i < 30; i++) {
    alive.cable.received++;
    // Whoever is dialed is the other one.
    world.fate = "hangs";
    await pass(1);
  }
  assertEquals(new Set(world.dialed), new Set(["192.0.2.1"]));
  assertEquals([dead.cable.lives, alive.cable.lives], [false, true]);
});

Deno.test("Lifelines are for tunnels through the network: none is direct, none goes to a Unix socket", () => {
  const { clock, lifelines } = setUp();
  const cable = new Cable();
  const address = { host: "192.0.2.1", port: 1 };
  assertEquals(lifelines.hold({ chain: [], address }, cable, cable), undefined);
  const chain = parseChain("http://unix:/run/up.sock");
  assertEquals(lifelines.hold({ chain, address: { path: "/run/up.sock" } }, cable, cable), undefined);
  assertEquals(clock.pending, 0);
});

/** Runs a tunnel through an upstream into silence; how it was asked for is up to the caller. */
async function silenced(head: string, answer: string, reply: RegExp) {
  const network = await VirtualNetwork.start({ proxy: "http://192.0.2.50:3128" });
  const { client, done } = network.connect();
  await say(client, head);
  const upstream = await network.origin();
  await hear(upstream, "\r\n\r\n");
  await say(upstream, answer);
  await hear(client, reply);
  await until(() => network.path.at(-1) === "relaying");
  network.unreachable["192.0.2.50"] = "hang";
  for (let i = 0; i < 28; i++) {
    assertEquals(network.records, []);
    network.clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await done;
  const [{ fault, reason, ending }] = network.records;
  assertEquals([fault, ending], ["connection_read_timeout", "timed out"]);
  assertMatch(String(reason), /^http:\/\/192\.0\.2\.50:3128: Nothing comes/);
  assertEquals(network.dialed, ["192.0.2.50:3128", "192.0.2.50:3128"]);
  assertEquals(network.clock.pending, 0);
}

Deno.test("a tunnel whose upstream cannot be reached any more ends, and the record says why", async () => {
  await silenced(
    "CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n\r\n",
    "HTTP/1.1 200 OK\r\n\r\n",
    /^HTTP\/1\.1 200 [^]*\r\n\r\n$/,
  );
});

Deno.test("so does one that an Upgrade has made", async () => {
  await silenced(
    "GET http://far.test/ HTTP/1.1\r\nHost: far.test\r\nConnection: upgrade\r\nUpgrade: thing\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: thing\r\n\r\n",
    /^HTTP\/1\.1 101 [^]*\r\n\r\n$/,
  );
});
