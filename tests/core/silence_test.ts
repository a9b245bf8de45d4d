import { assertEquals, assertMatch } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import { StreamPort } from "../../src/streams/stream_port.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { hear, say, until, VirtualNetwork } from "../support/virtual_network.ts";

const CONNECT = "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n";
const URI = "http://origin.test/";
const MUCH = "x".repeat(1_000_000);

/** A client with little room between it and the proxy, so that parts of a write are taken. */
function connect(network: VirtualNetwork): { client: Channel; done: Promise<void> } {
  const [near, far] = memoryPair({ capacity: 1_000, direct: true });
  return { client: new Channel(near, "target"), done: network.proxy.handle(far) };
}

/** Lets everything happen that needs no more time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

async function tunnel(network: VirtualNetwork): Promise<{ client: Channel; done: Promise<void> }> {
  const { client, done } = connect(network);
  await say(client, CONNECT);
  await hear(client, "\r\n\r\n");
  return { client, done };
}

function endings({ records }: VirtualNetwork): unknown[] {
  return records.map(({ ending, fault, reason }) => [ending, fault, reason]);
}

/** Says something that is never taken whole. */
function sayInVain(channel: Channel, text: string): void {
  say(channel, text).catch(() => {});
}

Deno.test("a client that takes none of what waits for it is cut behind 75 s, and not before", async () => {
  const network = await VirtualNetwork.start();
  const { done } = await tunnel(network);
  sayInVain(await network.origin(), MUCH);
  await settle();
  network.clock.advance(74_000);
  await settle();
  assertEquals(network.proxy.connections, 1);
  network.clock.advance(8_500);
  await done;
  const reason = "The client has taken none of the bytes that wait for it in 75s";
  assertEquals(endings(network), [["timed out", "client_timeout", reason]]);
});

Deno.test("a target that takes none of what waits for it is cut as the target", async () => {
  const network = await VirtualNetwork.start({ timeouts: { stalled: 20_000 } });
  const { client, done } = await tunnel(network);
  await network.origin();
  sayInVain(client, MUCH);
  await settle();
  network.clock.advance(22_500);
  await done;
  const reason = "The target has taken none of the bytes that wait for it in 20s";
  assertEquals(endings(network), [["timed out", "connection_write_timeout", reason]]);
});

Deno.test("a next proxy that takes none of what waits for it is cut as the next proxy", async () => {
  const network = await VirtualNetwork.start({
    proxy: "http://192.0.2.50:3128",
    timeouts: { stalled: 20_000 },
  });
  const { client, done } = connect(network);
  await say(client, CONNECT);
  const upstream = await network.origin();
  await hear(upstream, "\r\n\r\n");
  await say(upstream, "HTTP/1.1 200 OK\r\n\r\n");
  await hear(client, "\r\n\r\n");
  sayInVain(client, MUCH);
  await settle();
  network.clock.advance(22_500);
  await done;
  const reason = "The next proxy has taken none of the bytes that wait for it in 20s";
  assertEquals(endings(network), [["timed out", "connection_write_timeout", reason]]);
});

Deno.test("where one side has ended, its shorter deadline counts, and the record says what waited", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = await tunnel(network);
  sayInVain(await network.origin(), MUCH);
  await client.writer.close();
  await settle();
  network.clock.advance(67_000);
  await done;
  const reason = "The client has taken none of the bytes that wait for it in 1m";
  assertEquals(endings(network), [["timed out", "client_timeout", reason]]);
});

Deno.test("a reader that takes a part of a write now and then is not cut", async () => {
  const network = await VirtualNetwork.start({ timeouts: { stalled: 20_000, idle: 60_000 } });
  const { client } = await tunnel(network);
  sayInVain(await network.origin(), "x".repeat(60_000));
  await settle();
  for (let taken = 0; taken < 50_000; taken += 1_000) {
    network.clock.advance(17_000);
    await client.reader.read(1_000);
    await settle();
  }
  assertEquals([network.proxy.connections, network.records], [1, []]);
  network.clock.advance(60_000);
  await until(() => network.records.length === 1);
  assertEquals(network.records[0].fault, "client_timeout");
});

Deno.test("bytes in the other direction keep a reader that takes nothing, which lives", async () => {
  const network = await VirtualNetwork.start({ timeouts: { stalled: 20_000 } });
  const { client } = await tunnel(network);
  const origin = await network.origin();
  sayInVain(origin, MUCH);
  for (let i = 0; i < 10; i++) {
    await say(client, "alive");
    await hear(origin, "alive");
    await settle();
    network.clock.advance(19_000);
    await settle();
  }
  assertEquals(network.records, []);
});

Deno.test("a write that goes on gives a silence behind it the whole idle deadline", async () => {
  const network = await VirtualNetwork.start({ timeouts: { stalled: 20_000, idle: 60_000 } });
  const { client } = await tunnel(network);
  await say(await network.origin(), "x".repeat(5_000));
  await settle();
  network.clock.advance(15_000);
  await hear(client, "x".repeat(5_000));
  await settle();
  network.clock.advance(59_000);
  await settle();
  assertEquals(network.records, []);
  // A look late, as it is not known when the write was done.
  network.clock.advance(3_000);
  await until(() => network.records.length === 1);
  assertEquals(network.records[0].fault, "connection_read_timeout");
});

Deno.test("an origin that takes none of an upload is 504, and a client that takes none of its answer is cut", async () => {
  const network = await VirtualNetwork.start({ timeouts: { stalled: 20_000 } });
  const { client } = connect(network);
  sayInVain(
    client,
    `PUT ${URI} HTTP/1.1\r\nHost: origin.test\r\nContent-Length: ${MUCH.length}\r\n\r\n${MUCH}`,
  );
  await network.origin();
  await settle();
  network.clock.advance(22_500);
  assertMatch(await hear(client, /\n$/), /^HTTP\/1.1 504 .*error=connection_write_timeout/s);

  const { client: reader, done } = connect(network);
  await say(reader, `GET ${URI} HTTP/1.1\r\nHost: origin.test\r\n\r\n`);
  const origin = await network.origin();
  await hear(origin, "\r\n\r\n");
  sayInVain(origin, `HTTP/1.1 200 OK\r\nContent-Length: ${MUCH.length}\r\n\r\n${MUCH}`);
  await settle();
  network.clock.advance(22_500);
  await done;
  assertEquals(network.records.map(({ fault, status }) => [fault, status]), [
    ["connection_write_timeout", 504],
    ["client_timeout", 200],
  ]);
});

Deno.test("StreamPort tells whether a write waits, whatever the stream's strategy", async () => {
  for (const highWaterMark of [0, 1, 5]) {
    let taken = () => {};
    const writable = new WritableStream<Uint8Array>({
      write: () => new Promise((resolve) => taken = resolve),
    }, { highWaterMark });
    const port = new StreamPort({ readable: new ReadableStream(), writable });
    await settle();
    assertEquals(port.unsent, 0);
    const written = port.write(new Uint8Array(10));
    await settle();
    assertEquals(port.unsent > 0, true);
    taken();
    await written;
    assertEquals(port.unsent, 0);
  }
});
