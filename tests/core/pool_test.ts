import { assertEquals, assertRejects } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { Deadlines } from "../../src/runtime/deadlines.ts";
import { OriginPool } from "../../src/dialing/pool.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { hear, say, until } from "../support/virtual_network.ts";

function pooled() {
  const clock = new VirtualClock();
  const pool = new OriginPool({ clock, deadlines: new Deadlines(clock) });
  const connect = () => {
    const [near, far] = memoryPair();
    return { channel: new Channel(near, "target"), origin: new Channel(far, "client") };
  };
  return { clock, pool, connect };
}

Deno.test("OriginPool gives the connection that was used last, to its own owner alone", () => {
  const { pool, connect } = pooled();
  const [a, b] = [connect().channel, connect().channel];
  pool.put("a.test:80", { channel: a });
  pool.put("a.test:80", { channel: b });
  assertEquals(pool.take("b.test:80"), undefined);
  assertEquals(pool.take("a.test:80")?.channel === b, true);
  assertEquals(pool.take("a.test:80")?.channel === a, true);
  assertEquals([pool.take("a.test:80"), pool.size], [undefined, 0]);
});

Deno.test("OriginPool loses nothing of what a taken connection reads next", async () => {
  const { pool, connect } = pooled();
  const { channel, origin } = connect();
  pool.put("a.test:80", { channel });
  const taken = pool.take("a.test:80")!;
  await say(origin, "answer");
  assertEquals(await hear(taken.channel, "answer"), "answer");
});

Deno.test("OriginPool gives a fresh connection only for a moment, and one that has ended not at all", async () => {
  const { clock, pool, connect } = pooled();
  const { channel, origin } = connect();
  pool.put("a.test:80", { channel });
  clock.advance(1_001);
  assertEquals(pool.take("a.test:80", undefined, true), undefined);
  pool.put("a.test:80", pool.take("a.test:80")!);
  assertEquals(pool.take("a.test:80", undefined, true)?.channel === channel, true);

  await origin.writer.close();
  await until(() => !channel.reader.isOpen || (channel.reader.watch({ stirred() {} }), false));
  pool.put("a.test:80", { channel });
  assertEquals(pool.take("a.test:80"), undefined);
});

Deno.test("OriginPool gives no fresh connection of an origin that has closed one right behind an answer", async () => {
  const { clock, pool, connect } = pooled();
  const take = () => pool.take("ann", "a.test:80", true);
  const left = connect();
  pool.put("ann", { channel: left.channel, key: "a.test:80" });
  await left.origin.writer.close();
  await until(() => pool.size === 0);
  const { channel } = connect();
  pool.put("ann", { channel, key: "a.test:80" });
  assertEquals(take(), undefined);
  assertEquals(pool.take("ann", "a.test:80")?.channel === channel, true, "a GET may be sent again");
  clock.advance(600_000);
  pool.put("ann", { channel, key: "a.test:80" });
  assertEquals(take()?.channel === channel, true);
});

Deno.test("OriginPool drops an idle connection after its time, and leaves no timer behind", async () => {
  const { clock, pool, connect } = pooled();
  const { channel, origin } = connect();
  pool.put("a.test:80", { channel });
  clock.advance(4_000);
  await assertRejects(() => origin.reader.read());
  assertEquals([pool.size, clock.pending], [0, 0]);
});

Deno.test("OriginPool drops a connection whose origin ends or speaks unasked", async () => {
  for (
    const act of [
      (origin: Channel) => origin.writer.close(),
      (origin: Channel) => say(origin, "HTTP/1.1 408 "),
    ]
  ) {
    const { pool, connect } = pooled();
    const { channel, origin } = connect();
    pool.put("a.test:80", { channel });
    await act(origin);
    await until(() => pool.size === 0);
    assertEquals(pool.take("a.test:80"), undefined);
  }
});

Deno.test("OriginPool keeps four connections for one owner, and the last of them", () => {
  const { pool, connect } = pooled();
  const all = Array.from({ length: 6 }, (_, i) => ({ channel: connect().channel, key: `${i}.test:80` }));
  const owner = {};
  for (const kept of all) pool.put(owner, kept);
  assertEquals(all.map(({ key }) => pool.take(owner, key)), [undefined, undefined, ...all.slice(2)]);
});

Deno.test("OriginPool keeps one connection for every owner, however many others have", () => {
  const { pool, connect } = pooled();
  for (let i = 0; i < 200; i++) {
    const greedy = {};
    for (let j = 0; j < 4; j++) pool.put(greedy, { channel: connect().channel, key: `${j}.test:80` });
  }
  assertEquals(pool.size, 200 + 512);
  const late = {};
  const [first, second] = ["a.test:80", "b.test:80"].map((key) => ({ channel: connect().channel, key }));
  pool.put(late, first);
  assertEquals(pool.take(late, first.key), first);
  pool.put(late, first);
  pool.put(late, second);
  assertEquals([pool.count(late), pool.take(late, second.key)], [1, second]);
  pool.clear();
  assertEquals(pool.size, 0);
});

Deno.test("OriginPool drops what an owner leaves behind, and nothing of others", async () => {
  const { pool, connect } = pooled();
  const [one, other] = [connect(), connect()];
  const [mine, yours] = [{}, {}];
  pool.put(mine, { channel: one.channel, key: "a.test:80" });
  pool.put(yours, { channel: other.channel, key: "a.test:80" });
  pool.release(mine);
  await assertRejects(() => one.origin.reader.read());
  assertEquals([pool.count(mine), pool.count(yours)], [0, 1]);
  pool.clear();
});

Deno.test("OriginPool keeps what tells of its end for as long as its owner lasts, and tells it", async () => {
  const { clock, pool, connect } = pooled();
  const owner = {};
  let lost = 0;
  const { channel, origin } = connect();
  const pinned = { channel, key: "pinned.test:80", lost: () => lost++ };
  pool.put(owner, pinned);
  for (let i = 0; i < 6; i++) pool.put(owner, { channel: connect().channel, key: `${i}.test:80` });
  clock.advance(60_000);
  assertEquals([pool.take(owner, pinned.key), pool.size], [pinned, 0]);
  pool.put(owner, pinned);
  await origin.writer.close();
  await until(() => pool.size === 0);
  assertEquals(lost, 1);
});
