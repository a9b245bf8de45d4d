import { assertEquals, assertRejects } from "@std/assert";
import { Channel } from "../../src/channel.ts";
import { Deadlines } from "../../src/deadlines.ts";
import { OriginPool } from "../../src/upstreams/pool.ts";
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

Deno.test("OriginPool gives the connection that was used last, for its own origin alone", () => {
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

Deno.test("G5: OriginPool drops an idle connection after its time, and leaves no timer behind", async () => {
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

Deno.test("OriginPool keeps no more than 64 connections for one origin, and 512 in all", () => {
  const { pool, connect } = pooled();
  for (let i = 0; i < 70; i++) pool.put("a.test:80", { channel: connect().channel });
  assertEquals(pool.size, 64);
  for (let i = 0; i < 600; i++) pool.put(`${i}.test:80`, { channel: connect().channel });
  assertEquals(pool.size, 512);
  pool.clear();
  assertEquals(pool.size, 0);
});
