import { assertEquals, assertRejects } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { channelStream } from "../../src/streams/channel_stream.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { bytes, hear, hearAll, say } from "../support/virtual_network.ts";

/** A stream over a channel, and the channel's peer. */
function setUp() {
  const [near, far] = memoryPair();
  const channel = new Channel(near, "target");
  return { channel, stream: channelStream(channel), peer: new Channel(far, "client") };
}

Deno.test("channelStream() hands on what waits in the channel first, and then what comes", async () => {
  const { channel, stream, peer } = setUp();
  await say(peer, "early");
  await channel.reader.fill();
  const again = new Channel(stream, "target");
  assertEquals([again.local, again.remote], [channel.local, channel.remote]);
  assertEquals(await hear(again, "early"), "early");
  await say(again, "there");
  assertEquals(await hear(peer, "there"), "there");
  await say(peer, "back");
  await peer.writer.close();
  assertEquals(await hearAll(again), "back");
  await say(again, "half-closed");
  await again.writer.close();
  assertEquals(await hearAll(peer), "half-closed");
});

Deno.test("channelStream() fills a reader's own buffer, however small, and serves those who have none", async () => {
  const { stream, peer } = setUp();
  await say(peer, "abcdef");
  const byob = stream.readable.getReader({ mode: "byob" });
  const { value } = await byob.read(new Uint8Array(4));
  assertEquals(value, bytes("abcd"));
  byob.releaseLock();
  const plain = stream.readable.getReader();
  const first = await plain.read();
  await say(peer, "ghi");
  assertEquals((await plain.read()).value, bytes("ghi"));
  assertEquals(first.value, bytes("ef"));
  await peer.writer.close();
  assertEquals(await plain.read(), { value: undefined, done: true });
});

Deno.test("channelStream() destroys the connection when it is cancelled or aborted, and tells of a reset", async () => {
  for (
    const end of [
      ({ stream }: ReturnType<typeof setUp>) => stream.readable.cancel(),
      ({ stream }: ReturnType<typeof setUp>) => stream.writable.abort(),
    ]
  ) {
    const all = setUp();
    await end(all);
    await assertRejects(() => hearAll(all.peer));
    await assertRejects(() => all.channel.reader.read());
  }
  const { stream, peer } = setUp();
  const reading = stream.readable.getReader({ mode: "byob" }).read(new Uint8Array(1));
  peer.writer.cut(new Error("Gone") as never);
  assertEquals((await assertRejects(() => reading) as { code?: unknown }).code, "connection_terminated");
});

Deno.test("channelStream() has a port: what waits comes first, and what a wait that was given up brings", async () => {
  for (const early of ["waits", ""]) {
    const { channel, stream, peer } = setUp();
    const givenUp = channel.reader.fill();
    if (early !== "") {
      await say(peer, early);
      await givenUp;
    }
    const again = new Channel(stream, "target");
    const hearing = hear(again, `${early}later`);
    await say(peer, "later");
    assertEquals(await hearing, `${early}later`);
    await again.writer.write(bytes("answer"));
    assertEquals(await hear(peer, "answer"), "answer");
    await peer.writer.close();
    assertEquals(await again.reader.fill(), false);
  }
});

Deno.test("channelStream() has a port that ends where the channel has ended, and is destroyed with it", async () => {
  const { channel, stream, peer } = setUp();
  await peer.writer.close();
  assertEquals(await channel.reader.fill(), false);
  assertEquals(await new Channel(stream, "target").reader.fill(), false);
  const other = setUp();
  new Channel(other.stream, "target").cut(new Error("Gone") as never);
  await assertRejects(() => hearAll(other.peer));
});
