import { assertEquals, assertMatch } from "@std/assert";
import { Channel } from "../../src/streams/channel.ts";
import type { DirectPort, PortReceiver } from "../../src/runtime/direct_port.ts";
import { Exchange, type ExchangeEnd } from "../../src/traffic/exchange.ts";
import { RequestHeadReader } from "../../src/protocols/http1/head.ts";
import { understand } from "../../src/protocols/http1/request.ts";
import { Http1Client, Http1Origin } from "../../src/protocols/http1/sides.ts";
import { ByteBuffer } from "../../src/streams/byte_buffer.ts";
import { until } from "../support/virtual_network.ts";
import { settingsWith } from "../support/settings.ts";

const GET = "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok";

function octets(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** An end of a connection, whose answers the test gives. */
class TestPort implements DirectPort {
  readonly unsent = 0;
  written = "";
  receiver: PortReceiver | undefined;
  /** What a write waits for. */
  writing: Promise<void> | undefined;
  onWrite: () => void = () => {};
  destroyed = false;

  pull(receiver: PortReceiver): void {
    this.receiver = receiver;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    this.written += new TextDecoder().decode(chunk);
    this.onWrite();
    return this.writing;
  }

  close(): undefined {}

  destroy(): void {
    this.destroyed = true;
  }
}

function channelOf(port: DirectPort, side: "client" | "target"): Channel {
  const address = { host: "192.0.2.1", port: 1 };
  const none = { readable: new ReadableStream<Uint8Array>(), writable: new WritableStream<Uint8Array>() };
  return new Channel({ ...none, port, local: address, remote: address }, side);
}

/** Runs an exchange between two ports. */
function exchangeBetween(
  client: DirectPort,
  origin: DirectPort,
): { exchange: Exchange; end: Promise<ExchangeEnd> } {
  const request = understand(new RequestHeadReader(8192).read(ByteBuffer.of(octets(GET)))!);
  const both = { request, settings: settingsWith({ limits: { headerSize: 8192, bodySize: 8192 } }) };
  const far = channelOf(origin, "target");
  const later = Promise.withResolvers<ExchangeEnd>();
  const exchange = new Exchange({
    client: new Http1Client({ ...both, channel: channelOf(client, "client"), date: () => new Date(0) }),
    origin: new Http1Origin({ ...both, channel: far }),
    far,
    bound: false,
    settings: both.settings,
    observer: { keepAlive: true, sent() {}, received() {}, answered() {}, ended: later.resolve },
  });
  const end = exchange.run();
  return { exchange, end: end ? Promise.resolve(end) : later.promise };
}

Deno.test("an origin that answers before the write of the request has settled does not end the client's connection", async () => {
  const [client, origin] = [new TestPort(), new TestPort()];
  let settle = () => {};
  origin.writing = new Promise((resolve) => settle = resolve);
  const { exchange, end } = exchangeBetween(client, origin);
  origin.receiver!.receive(octets(OK));
  await until(() => client.written.endsWith("ok"));
  assertMatch(client.written, /^HTTP\/1\.1 200 OK\r\n(?!.*Connection: close).*\r\n\r\nok$/s);
  assertEquals(exchange.originReusable, false, "a write is still under way");
  settle();
  assertEquals(await end, { how: "reusable" });
  assertEquals(exchange.originReusable, true);
});

Deno.test("an origin that answers within the write of the request is ready for the next one", async () => {
  const [client, origin] = [new TestPort(), new TestPort()];
  origin.pull = (receiver) => queueMicrotask(() => receiver.receive(octets(OK)));
  const { exchange, end } = exchangeBetween(client, origin);
  assertEquals(await end, { how: "reusable" });
  assertEquals(exchange.originReusable, true);

  const [second, other] = [new TestPort(), new TestPort()];
  other.pull = (receiver) => void receiver.receive(octets(OK));
  const next = exchangeBetween(second, other);
  assertEquals(await next.end, { how: "reusable" });
  assertEquals(next.exchange.originReusable, true);
  assertEquals(second.written.includes("Connection: close"), false);
});

Deno.test("an exchange that has ended hears no more of the client", async () => {
  const [client, origin] = [new TestPort(), new TestPort()];
  const { exchange, end } = exchangeBetween(client, origin);
  origin.receiver!.receive(octets(OK.replace("Date", "Connection: close\r\nDate")));
  assertEquals(await end, { how: "reusable" });
  assertEquals(exchange.originReusable, false);
  client.receiver!.fail(new Error("Gone"));
  assertEquals(origin.destroyed, false);
});
