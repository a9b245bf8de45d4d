import { assertEquals } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { Deadlines } from "../../src/runtime/deadlines.ts";
import { Fault } from "../../src/faults.ts";
import { Reserve, type Spare } from "../../src/dialing/reserve.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { until } from "../support/virtual_network.ts";

const [UPSTREAM] = parseChain("https://proxy.test:8443");

function reserved(fails = false) {
  const clock = new VirtualClock();
  const reserve = new Reserve({ clock, deadlines: new Deadlines(clock) });
  const opened: Channel[] = [];
  const open = (): Promise<Spare> => {
    const [near, far] = memoryPair();
    opened.push(new Channel(far, "client"));
    if (fails) return Promise.reject(new Fault("connection_refused"));
    return Promise.resolve({
      channel: new Channel(near, "target"),
      address: { host: "192.0.2.1", port: 8443 },
    });
  };
  return { clock, reserve, opened, take: () => reserve.take(UPSTREAM, open) };
}

Deno.test("Reserve has nothing at first, four spares from then on, and makes up for each that is taken", async () => {
  const { opened, take } = reserved();
  assertEquals(take(), undefined);
  await until(() => opened.length === 4);
  const spares = [take(), take(), take(), take()];
  assertEquals(spares.every((spare) => spare?.address), true);
  assertEquals(new Set(spares).size, 4);
  await until(() => opened.length === 8);
});

Deno.test("Reserve renews its spares while the upstream is in use, and lets them go half a minute later", async () => {
  const { clock, opened, take } = reserved();
  take();
  await until(() => opened.length === 4);
  for (let passed = 0; passed < 30_000; passed += 1_000) {
    clock.advance(1_000);
    await until(() => true);
  }
  const renewed = opened.length;
  assertEquals(renewed >= 20, true, `${renewed} were opened in 30 s`);
  clock.advance(10_000);
  await until(() => clock.pending === 0);
  clock.advance(60_000);
  assertEquals([opened.length <= renewed + 4, clock.pending], [true, 0]);
});

Deno.test("Reserve tries no more than a few times at an upstream that is down", async () => {
  const { clock, opened, take } = reserved(true);
  for (let i = 0; i < 50; i++) {
    assertEquals(take(), undefined);
    await until(() => true);
  }
  assertEquals(opened.length, 4);
  clock.advance(2_000);
  await until(() => true);
  assertEquals(opened.length, 8);
});

Deno.test("Reserve keeps nothing once it is closed, not even what was being opened", async () => {
  const { clock, reserve, opened, take } = reserved();
  take();
  reserve.close();
  await until(() => opened.length === 4);
  for (const far of opened) assertEquals(await far.reader.read().catch(() => undefined), undefined);
  clock.advance(60_000);
  assertEquals([opened.length, clock.pending], [4, 0]);
});
