import { assertEquals, assertRejects } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { Fault, type Side } from "../../src/faults.ts";
import { relay, type RelayEnd, type RelayObserver } from "../../src/traffic/relay.ts";
import type { ByteStream } from "../../src/runtime/contract.ts";
import { memoryPair, type MemoryPairOptions } from "../support/memory_stream.ts";

interface RelayedOptions extends MemoryPairOptions {
  /** Which side takes nothing at all. */
  readonly unwritable?: Side;
}

/** The same connection, to which nothing can be written. */
function readOnly(stream: ByteStream): ByteStream {
  const fail = () => Promise.reject(Object.assign(new Error("EPIPE"), { code: "connection_terminated" }));
  const { readable, port } = stream;
  if (!port) return { ...stream, readable, writable: new WritableStream({ write: fail }) };
  return {
    ...stream,
    port: {
      unsent: 0,
      pull: (receiver) => port.pull(receiver),
      write: fail,
      close: () => undefined,
      destroy: (options) => port.destroy(options),
    },
  };
}

/** A relay between two ends that the test holds. */
function relayed({ unwritable, ...options }: RelayedOptions = {}) {
  const [client, nearClient] = memoryPair(options);
  const [nearTarget, target] = memoryPair(options);
  const clientSide = unwritable === "client" ? readOnly(nearClient) : nearClient;
  const targetSide = unwritable === "target" ? readOnly(nearTarget) : nearTarget;
  const seen = { sent: 0, received: 0, halfClosed: 0, ended: 0 };
  const { promise: done, resolve, reject } = Promise.withResolvers<Fault | undefined>();
  const observer: RelayObserver & RelayEnd = {
    resolve(fault) {
      seen.ended++;
      resolve(fault);
    },
    reject(fault) {
      seen.ended++;
      reject(fault);
    },
    sent: (count) => seen.sent += count,
    received: (count) => seen.received += count,
    halfClosed: () => seen.halfClosed++,
  };
  const near = [new Channel(clientSide, "client"), new Channel(targetSide, "target")] as const;
  relay(...near, observer);
  done.catch(() => {});
  const drop = (): void => near.forEach((channel) => channel.drop(new Fault("connection_terminated")));
  return { client: new Channel(client, "client"), target: new Channel(target, "target"), done, seen, drop };
}

async function readAll(channel: Channel): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part = await channel.reader.read(); part; part = await channel.reader.read()) {
    parts.push(part.slice());
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

function noise(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 24);
}

for (const direct of [false, true]) {
  const ports = direct ? "over direct ports" : "over streams";
  Deno.test(`relay() carries bytes both ways at once, unchanged and counted, ${ports}`, async () => {
    const { client, target, done, seen } = relayed({ direct, capacity: 10_000, readSize: 777 });
    const up = noise(300_000);
    const down = noise(200_000).reverse();
    const [atTarget, atClient] = await Promise.all([
      readAll(target),
      readAll(client),
      client.writer.write(up).then(() => client.writer.close()),
      target.writer.write(down).then(() => target.writer.close()),
    ]);
    await done;
    assertEquals(atTarget, up);
    assertEquals(atClient, down);
    assertEquals(seen, { sent: 300_000, received: 200_000, halfClosed: 1, ended: 1 });
  });

  for (const first of ["client", "target"] as const) {
    Deno.test(`relay() passes a FIN of the ${first} on as a half-close, and the other way stays open, ${ports}`, async () => {
      const ends = relayed({ direct });
      const [ending, going] = first === "client" ? [ends.client, ends.target] : [ends.target, ends.client];
      await ending.writer.close();
      assertEquals((await readAll(going)).length, 0);
      const arrived = readAll(ending);
      await going.writer.write(noise(100_000));
      await going.writer.close();
      assertEquals((await arrived).length, 100_000);
      await ends.done;
    });

    Deno.test(`relay() passes a reset of the ${first} on as a reset, and says whose it was, ${ports}`, async () => {
      const ends = relayed({ direct });
      const [breaking, other] = first === "client" ? [ends.client, ends.target] : [ends.target, ends.client];
      breaking.cut(new Fault("client_disconnected"));
      const fault = await assertRejects(() => ends.done, Fault);
      assertEquals(fault.code, first === "client" ? "client_disconnected" : "connection_terminated");
      await assertRejects(() => other.reader.read(), Fault);
    });
  }

  Deno.test(`relay() delivers what a target has sent that takes no more of an upload, ${ports}`, async () => {
    const { client, target, done, seen } = relayed({ direct, capacity: 1_000, unwritable: "target" });
    const down = noise(20_000);
    const answered = target.writer.write(down).then(() => target.writer.close());
    // It reads nothing before it has sent everything.
    await client.writer.write(noise(100_000));
    assertEquals(await readAll(client), down);
    await answered;
    await client.writer.close();
    const fault = await done;
    assertEquals([fault?.code, fault?.message], ["connection_terminated", "EPIPE"]);
    assertEquals([seen.sent, seen.received], [0, 20_000]);
    assertEquals(seen.halfClosed > 0, true, "The rest has a deadline");
  });

  Deno.test(`relay() delivers what a client has sent that takes no more, and asks the target for no more, ${ports}`, async () => {
    const { client, target, done, seen } = relayed({ direct, capacity: 1_000, unwritable: "client" });
    const flood = target.writer.write(noise(100_000)).catch(() => "cut");
    const up = noise(20_000);
    const sent = client.writer.write(up).then(() => client.writer.close());
    assertEquals(await readAll(target), up);
    await sent;
    assertEquals((await done)?.code, "client_disconnected");
    assertEquals([seen.sent, seen.received], [20_000, 0]);
    target.cut(new Fault("connection_terminated"));
    assertEquals(await flood, "cut");
  });

  Deno.test(`relay() tells its end once, also when both sides are dropped behind it, ${ports}`, async () => {
    const { client, target, done, seen, drop } = relayed({ direct });
    await client.writer.close();
    await target.writer.close();
    await done;
    drop();
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(seen.ended, 1);
  });

  Deno.test(`relay() ends where a target that takes no more is reset, ${ports}`, async () => {
    const { client, target, done } = relayed({ direct, unwritable: "target" });
    await client.writer.write(noise(10));
    await target.writer.write(noise(10));
    assertEquals((await client.reader.read())?.length, 10);
    target.cut(new Fault("connection_terminated"));
    assertEquals((await assertRejects(() => done, Fault)).message, "EPIPE");
    await assertRejects(() => client.reader.read(), Fault);
  });

  Deno.test(`relay() takes no more from one side than the other takes in, ${ports}`, async () => {
    const { client, target, seen } = relayed({ direct, capacity: 1_000 });
    let written = 0;
    const flood = (async () => {
      while (written < 10_000_000) {
        await client.writer.write(new Uint8Array(1_000));
        written += 1_000;
      }
    })().catch(() => {});
    // Once nothing moves for a while of the event loop's turns, nothing will: there is no timer in the way.
    for (let before = -1; before !== written;) {
      before = written;
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assertEquals(written <= 5_000, true, `${written} bytes went in, with room for 1000 on each side`);
    assertEquals(seen.sent <= 2_000, true);
    target.cut(new Fault("connection_terminated"));
    await flood;
  });
}
