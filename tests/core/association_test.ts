import { assertEquals, assertRejects } from "@std/assert";
import { Association, type AssociationOptions } from "../../src/traffic/association.ts";
import { Channel } from "../../src/streams/channel.ts";
import { Fault } from "../../src/faults.ts";
import { formatAuthority } from "../../src/addresses/host.ts";
import { writeUdpReply } from "../../src/protocols/socks/socks5_udp.ts";
import type { DatagramSocket, TcpAddress } from "../../src/runtime/contract.ts";
import { memoryPair } from "../support/memory_stream.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { VirtualDatagrams, virtualHost } from "../support/virtual_datagrams.ts";
import { bytes, hear, hearAll, say, until, VirtualNetwork } from "../support/virtual_network.ts";

const LOCAL = "192.0.2.9";
const CLIENT = "192.0.2.20";
const UNKNOWN: TcpAddress = { host: "0.0.0.0", port: 0 };
const ECHO = { host: "198.51.100.7", port: 7 };

/** A datagram as the client sends it: to a name where the host is none that has an address. */
function request({ host, port }: TcpAddress, text: string): Uint8Array {
  if (/^[0-9.]+$|:/.test(host)) return writeUdpReply({ host, port }, bytes(text));
  return Uint8Array.of(0, 0, 0, 3, host.length, ...bytes(host), port >> 8, port & 255, ...bytes(text));
}

/** An association with everything around it. */
class Bench {
  readonly network = new VirtualDatagrams();
  readonly clock = new VirtualClock();
  readonly resolved: string[] = [];
  readonly names: Record<string, string[] | Promise<string[]>> = {};
  readonly events: string[] = [];
  readonly prohibited = new Set<string>();
  readonly association: Association;
  #bound: TcpAddress | undefined;

  constructor(options: Partial<AssociationOptions> = {}) {
    this.association = new Association({
      runtime: { openDatagrams: (options) => this.network.bind(options) },
      clock: this.clock,
      local: LOCAL,
      client: CLIENT,
      hint: UNKNOWN,
      resolve: async (host) => {
        this.resolved.push(host);
        const addresses = await this.names[host];
        if (!addresses) throw new Fault("dns_error");
        return addresses;
      },
      authorize: ({ host }) => {
        if (this.prohibited.has(host)) throw new Fault("http_request_denied");
      },
      judge: ({ host }) => {
        if (this.prohibited.has(host)) throw new Fault("destination_ip_prohibited");
      },
      observer: {
        addressed: (target) => this.events.push(`addressed ${formatAuthority(target)}`),
        sent: (count, to) => this.events.push(`sent ${count} to ${formatAuthority(to)}`),
        received: (count) => this.events.push(`received ${count}`),
        refused: (target, { code }) => this.events.push(`refused ${formatAuthority(target)} ${code}`),
      },
      ...options,
    });
  }

  static async open(options: Partial<AssociationOptions> = {}): Promise<Bench> {
    const bench = new Bench(options);
    bench.#bound = await bench.association.open();
    return bench;
  }

  get bound(): TcpAddress {
    return this.#bound!;
  }

  /** A socket of the client's machine, or of another. */
  socket(address: TcpAddress = { host: CLIENT, port: 5000 }) {
    return virtualHost(this.network, address);
  }

  /** A server that says everything back. */
  echo(address: TcpAddress = ECHO) {
    return virtualHost(this.network, address, (bytes) => bytes);
  }

  send(from: DatagramSocket, to: TcpAddress, text: string): void {
    from.send(request(to, text), this.bound);
  }

  /** Lets everything happen that can. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** What the client is told, without the address of the proxy. */
function answer(from: TcpAddress, text: string): string {
  return String.fromCharCode(...writeUdpReply(from, bytes(text)));
}

Deno.test("association: a datagram goes to its target, and the answer comes back with its address", async () => {
  const bench = await Bench.open();
  const [client, echo] = [await bench.socket(), await bench.echo()];
  for (const text of ["one", "", "three"]) bench.send(client, ECHO, text);
  await until(() => client.heard.length === 3);
  assertEquals(echo.heard, ["one", "", "three"].map((text) => `192.0.2.1:40002 ${text}`));
  const bound = formatAuthority(bench.bound);
  assertEquals(client.heard, ["one", "", "three"].map((text) => `${bound} ${answer(ECHO, text)}`));
  assertEquals(bench.bound.host, LOCAL);
  assertEquals(bench.events.filter((event) => !event.startsWith("received")), [
    "addressed 198.51.100.7:7",
    "sent 3 to 198.51.100.7:7",
    "sent 0 to 198.51.100.7:7",
    "sent 5 to 198.51.100.7:7",
  ]);
  assertEquals(bench.association.dropped, 0);
});

Deno.test("association: both families have a socket, opened when it is needed, and close() closes all", async () => {
  const bench = await Bench.open();
  const ipv6 = { host: "2001:db8::7", port: 7 };
  const [client] = [await bench.socket(), await bench.echo(), await bench.echo(ipv6)];
  assertEquals(bench.network.open, 4);
  bench.send(client, ECHO, "a");
  await until(() => client.heard.length === 1);
  assertEquals(bench.network.open, 5);
  bench.send(client, ipv6, "b");
  await until(() => client.heard.length === 2);
  // An IPv4 address mapped into IPv6 is IPv4.
  bench.send(client, { host: `::ffff:${ECHO.host}`, port: ECHO.port }, "c");
  await until(() => client.heard.length === 3);
  const told = [answer(ECHO, "a"), answer(ipv6, "b"), answer(ECHO, "c")];
  assertEquals(client.heard, told.map((answer) => `${formatAuthority(bench.bound)} ${answer}`));
  assertEquals(bench.network.open, 6);
  bench.association.close();
  bench.association.close();
  assertEquals(bench.network.open, 3);
});

Deno.test("association: datagrams from another IP address are dropped, also after the client's first", async () => {
  const bench = await Bench.open();
  const [client, echo] = [await bench.socket(), await bench.echo()];
  const stranger = await bench.socket({ host: "192.0.2.21", port: 5000 });
  bench.send(stranger, ECHO, "stranger");
  await bench.settle();
  bench.send(client, ECHO, "client");
  await until(() => client.heard.length === 1);
  bench.send(stranger, ECHO, "stranger");
  await bench.settle();
  assertEquals(echo.heard, ["192.0.2.1:40002 client"]);
  assertEquals(stranger.heard, []);
  assertEquals(bench.association.dropped, 2);
});

Deno.test("association: the client's port is that of its first good datagram", async () => {
  const bench = await Bench.open();
  const [first, second] = [await bench.socket(), await bench.socket({ host: CLIENT, port: 5001 })];
  const echo = await bench.echo();
  second.send(bytes("no header"), bench.bound);
  await bench.settle();
  bench.send(first, ECHO, "first");
  await until(() => first.heard.length === 1);
  bench.send(second, ECHO, "second");
  await bench.settle();
  assertEquals(echo.heard.length, 1);
  assertEquals(second.heard, []);
});

Deno.test("association: the client's port is that of its request, where it gives one for itself", async () => {
  const given: [hint: TcpAddress, port: number][] = [
    [{ host: CLIENT, port: 5001 }, 5001],
    [{ host: "0.0.0.0", port: 5001 }, 5001],
    [{ host: "::", port: 5001 }, 5001],
    [{ host: `::ffff:${CLIENT}`, port: 5001 }, 5001],
    // Somebody else's address, as behind a NAT: it says nothing of the port that we see.
    [{ host: "10.0.0.1", port: 5001 }, 5000],
    [{ host: "client.test", port: 5001 }, 5000],
  ];
  for (const [hint, port] of given) {
    const bench = await Bench.open({ hint });
    const [first, second] = [await bench.socket(), await bench.socket({ host: CLIENT, port: 5001 })];
    const echo = await bench.echo();
    for (const socket of [first, second]) {
      bench.send(socket, ECHO, String(socket.address.port));
      await bench.settle();
    }
    assertEquals(echo.heard, [`192.0.2.1:40002 ${port}`], formatAuthority(hint));
  }
});

Deno.test("association: fragments, unknown address types and half a header are dropped", async () => {
  const bench = await Bench.open();
  const [client, echo] = [await bench.socket(), await bench.echo()];
  const good = request(ECHO, "x");
  const bad = [good.with(2, 1), good.with(2, 0x80), good.with(3, 2), good.with(0, 5), good.subarray(0, 9)];
  for (const datagram of bad) client.send(datagram, bench.bound);
  await bench.settle();
  assertEquals(echo.heard, []);
  assertEquals(bench.association.dropped, bad.length);
});

Deno.test("association: nobody may answer but the address and port that the client has sent to", async () => {
  const bench = await Bench.open();
  const [client] = [await bench.socket(), await bench.echo()];
  bench.send(client, ECHO, "x");
  await until(() => client.heard.length === 1);
  for (const from of [{ ...ECHO, port: 8 }, { ...ECHO, host: "198.51.100.8" }]) {
    const other = await bench.socket(from);
    other.send(bytes("unasked"), { host: "192.0.2.1", port: 40_002 });
  }
  await bench.settle();
  assertEquals(client.heard.length, 1);
  assertEquals(bench.association.dropped, 2);
});

Deno.test("association: a name is looked up once, and its datagrams keep their order", async () => {
  const bench = await Bench.open();
  const looking = Promise.withResolvers<string[]>();
  bench.names["echo.test"] = looking.promise;
  const [client, echo] = [await bench.socket(), await bench.echo()];
  for (let i = 0; i < 6; i++) bench.send(client, { host: "echo.test", port: 7 }, `${i}`);
  await bench.settle();
  assertEquals(echo.heard, []);
  bench.names["echo.test"] = ["198.51.100.99"];
  looking.resolve([ECHO.host]);
  await until(() => client.heard.length === 4);
  bench.send(client, { host: "echo.test", port: 7 }, "later");
  await until(() => client.heard.length === 5);
  assertEquals(echo.heard.map((line) => line.split(" ")[1]), ["0", "1", "2", "3", "later"]);
  assertEquals(bench.resolved, ["echo.test"]);
  assertEquals(bench.association.dropped, 2);
});

Deno.test("association: of a name's addresses, those of the family that the client came by go first", async () => {
  const bench = await Bench.open();
  bench.echo();
  bench.names["both.test"] = ["2001:db8::7", ECHO.host];
  const client = await bench.socket();
  client.send(request({ host: "both.test", port: ECHO.port }, "hello"), bench.bound);
  await until(() => bench.events.some((event) => event.startsWith("sent")));
  assertEquals(bench.events.find((event) => event.startsWith("sent")), `sent 5 to ${formatAuthority(ECHO)}`);
});

Deno.test("association: every address is judged before every datagram, and a refusal is told once", async () => {
  const bench = await Bench.open();
  const [client, echo] = [await bench.socket(), await bench.echo()];
  bench.prohibited.add("10.0.0.1");
  bench.names["rebound.test"] = ["10.0.0.1"];
  bench.names["both.test"] = ["10.0.0.1", ECHO.host];
  for (
    const host of ["10.0.0.1", "rebound.test", "10.0.0.1", "rebound.test", "::ffff:10.0.0.1", "gone.test"]
  ) {
    bench.send(client, { host, port: 7 }, "secret");
    await bench.settle();
  }
  bench.send(client, { host: "both.test", port: 7 }, "public");
  await until(() => client.heard.length === 1);
  // The rules change while it runs.
  bench.prohibited.add(ECHO.host);
  for (let i = 0; i < 2; i++) bench.send(client, { host: "both.test", port: 7 }, "too late");
  await bench.settle();
  assertEquals(echo.heard.length, 1);
  assertEquals(bench.events.filter((event) => event.startsWith("refused")), [
    "refused 10.0.0.1:7 destination_ip_prohibited",
    "refused rebound.test:7 destination_ip_prohibited",
    "refused [::ffff:10.0.0.1]:7 destination_ip_prohibited",
    "refused gone.test:7 dns_error",
    "refused both.test:7 destination_ip_prohibited",
  ]);
  assertEquals(bench.association.dropped, 8);
});

Deno.test("association: a name that is not allowed is not even looked up", async () => {
  const bench = await Bench.open();
  const client = await bench.socket();
  bench.prohibited.add("denied.test");
  bench.names["denied.test"] = [ECHO.host];
  bench.send(client, { host: "denied.test", port: 7 }, "x");
  await bench.settle();
  assertEquals(bench.resolved, []);
  assertEquals(bench.events.at(-1), "refused denied.test:7 http_request_denied");
});

Deno.test("association: a name that failed is looked up again after a while, not with every datagram", async () => {
  const bench = await Bench.open();
  const [client] = [await bench.socket(), await bench.echo()];
  const target = { host: "echo.test", port: 7 };
  for (let i = 0; i < 10; i++) {
    bench.send(client, target, "x");
    await bench.settle();
  }
  assertEquals(bench.resolved.length, 1);
  bench.names["echo.test"] = [ECHO.host];
  bench.clock.advance(5_000);
  bench.send(client, target, "x");
  await until(() => client.heard.length === 1);
  assertEquals(bench.resolved.length, 2);
});

Deno.test("association: a flood of names costs 16 lookups at once, and what waits is bounded", async () => {
  const bench = await Bench.open();
  const [client] = [await bench.socket(), await bench.echo()];
  const looking = Promise.withResolvers<string[]>();
  const flood = async () => {
    for (let i = 0; i < 1_000; i++) {
      bench.names[`${i}.test`] ??= looking.promise;
      bench.send(client, { host: `${i}.test`, port: 7 }, "x");
    }
    await bench.settle();
  };
  await flood();
  assertEquals([bench.resolved.length, bench.association.dropped], [16, 1_000 - 16]);
  // Those that are looked up are forgotten by now, in favour of the others; they wait all the same.
  const waiting = () => bench.send(client, { host: "999.test", port: 7 }, "x");
  for (let i = 0; i < 100; i++) waiting();
  await bench.settle();
  assertEquals([bench.resolved.length, bench.association.dropped], [16, 1_100 - 16]);
  looking.resolve([ECHO.host]);
  await until(() => client.heard.length === 16);
  waiting();
  await until(() => client.heard.length === 17);
});

Deno.test("association: what waits for all targets together is bounded, and those that come later wait again", async () => {
  const bench = await Bench.open();
  const [client] = [await bench.socket(), await bench.echo()];
  for (let round = 1; round <= 3; round++) {
    const looking = Promise.withResolvers<string[]>();
    for (let i = 0; i < 16; i++) {
      bench.names[`${round}-${i}.test`] = looking.promise;
      for (let j = 0; j < 10; j++) bench.send(client, { host: `${round}-${i}.test`, port: 7 }, "x");
    }
    // No name, so it does not count among those.
    bench.send(client, { host: "2001:db8::7", port: round }, "x");
    await bench.settle();
    assertEquals(bench.association.dropped, round * (16 * 6 + 1));
    looking.resolve([ECHO.host]);
    await until(() => client.heard.length === round * 64);
  }
});

Deno.test("association: a flood of targets leaves those that are used alone", async () => {
  const bench = await Bench.open();
  const [client, echo] = [await bench.socket(), await bench.echo()];
  bench.names["echo.test"] = [ECHO.host];
  for (let i = 0; i < 2_000; i++) {
    bench.send(client, { host: `203.0.113.${i % 250}`, port: 1 + i }, "x");
    if (i % 100 === 0) {
      bench.send(client, { host: "echo.test", port: 7 }, "used");
      await bench.settle();
    }
  }
  await bench.settle();
  assertEquals(echo.heard.length, 20);
  assertEquals(client.heard.length, 20);
  assertEquals(bench.resolved, ["echo.test"]);
});

Deno.test("association: callbacks that throw cost their datagram and nothing else", async () => {
  let angry = true;
  const bench = await Bench.open({
    judge: () => {
      if (angry) throw new TypeError("A bug in a rule");
    },
    observer: {
      addressed: () => {},
      sent: () => {},
      received: () => {
        if (angry) throw new Error("A bug in a log");
      },
      refused: () => {
        throw new Error("A bug in a log");
      },
    },
  });
  const [client, echo] = [await bench.socket(), await bench.echo()];
  bench.send(client, ECHO, "one");
  await bench.settle();
  angry = false;
  bench.clock.advance(5_000);
  bench.send(client, ECHO, "two");
  await until(() => client.heard.length === 1);
  angry = true;
  bench.send(client, ECHO, "three");
  await bench.settle();
  assertEquals(echo.heard.length, 1);
});

Deno.test("association: sockets that come too late are closed, and lookups are given up", async () => {
  const late = new Bench();
  const opening = late.association.open();
  late.association.close();
  await assertRejects(() => opening, Fault);
  assertEquals(late.network.open, 0);

  const signals: AbortSignal[] = [];
  const bench = await Bench.open({
    resolve: (_host, signal) => {
      signals.push(signal);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  const client = await bench.socket();
  bench.send(client, { host: "slow.test", port: 7 }, "x");
  await bench.settle();
  bench.association.close();
  await bench.settle();
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  assertEquals(bench.network.open, 1);
  assertEquals(bench.events, ["addressed slow.test:7"]);
});

/** A client's machine, in {@link VirtualNetwork}; the proxy's is 192.0.2.2. */
const MACHINE = "192.0.2.1";

const ASSOCIATE = "\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00";

/** A client whose association stands, with a socket. */
async function associated(network: VirtualNetwork) {
  const { client, done } = network.connect();
  await say(client, ASSOCIATE);
  const reply = await hear(client, /^[^]{12}$/);
  const bound = { host: "192.0.2.2", port: reply.charCodeAt(10) << 8 | reply.charCodeAt(11) };
  const socket = await virtualHost(network.datagrams, { host: MACHINE, port: 5000 });
  return { client, done, reply, bound, socket };
}

Deno.test("association: it lasts as long as its connection, and is recorded as one", async () => {
  const network = await VirtualNetwork.start();
  const echo = await virtualHost(network.datagrams, { host: "192.0.2.80", port: 7 }, (bytes) => bytes);
  const { client, done, reply, bound, socket } = await associated(network);
  assertEquals(reply, "\x05\x00\x05\x00\x00\x01\xc0\x00\x02\x02\x9c\x41");
  for (let i = 0; i < 3; i++) socket.send(request({ host: "origin.test", port: 7 }, "12345"), bound);
  await until(() => socket.heard.length === 3);
  await client.writer.close();
  assertEquals(await hearAll(client), "");
  await done;
  assertEquals(
    network.path.join(" "),
    "serving authorizing dialing associating over closing closed",
  );
  const [record] = network.records;
  assertEquals(
    [
      record.protocol,
      record.method,
      record.target,
      record.dialed,
      record.status,
      record.fault,
      record.ending,
    ],
    ["socks5", "UDP", "origin.test:7", "192.0.2.80:7", 0, undefined, "completed"],
  );
  assertEquals([record.sent, record.received], [15, 15]);
  socket.close();
  echo.close();
  assertEquals(network.datagrams.open, 0);
});

Deno.test("association: the guard drops datagrams, and the record tells of it", async () => {
  const network = await VirtualNetwork.start({ privateDestinations: "deny" });
  const inside = await virtualHost(network.datagrams, { host: "10.0.0.1", port: 53 });
  const own = await virtualHost(network.datagrams, { host: "192.0.2.2", port: 53 });
  const { client, done, bound, socket } = await associated(network);
  network.hosts["rebound.test"] = ["10.0.0.1"];
  for (const host of ["10.0.0.1", "rebound.test", "::ffff:10.0.0.1", "192.0.2.2"]) {
    socket.send(request({ host, port: 53 }, "query"), bound);
  }
  await until(() => network.clock.pending > 0);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  client.cut(new Fault("client_disconnected"));
  await done;
  assertEquals([inside.heard, own.heard], [[], []]);
  const [record] = network.records;
  assertEquals(
    [record.target, record.dialed, record.sent, record.fault],
    ["10.0.0.1:53", undefined, 0, "destination_ip_prohibited"],
  );
});

Deno.test("association: datagrams keep it alive, silence and bytes on its connection do not", async () => {
  const network = await VirtualNetwork.start();
  await virtualHost(network.datagrams, { host: "192.0.2.80", port: 7 }, (bytes) => bytes);
  const { client, done, bound, socket } = await associated(network);
  for (let i = 1; i <= 3; i++) {
    network.clock.advance(200_000);
    socket.send(request({ host: "192.0.2.80", port: 7 }, "x"), bound);
    await until(() => socket.heard.length === i);
  }
  network.clock.advance(200_000);
  await say(client, "are you there?");
  // Dropped, so it does not count.
  socket.send(request({ host: "192.0.2.80", port: 7 }, "x").with(2, 1), bound);
  await until(() => network.path.at(-1) === "associating");
  network.clock.advance(100_000);
  await done;
  const [record] = network.records;
  assertEquals([record.ending, record.fault, record.status], ["timed out", "connection_read_timeout", 0]);
  assertEquals(network.datagrams.open, 2);
});

Deno.test("association: a client that sends much on its connection is cut", async () => {
  const network = await VirtualNetwork.start();
  const { client, done } = await associated(network);
  await client.writer.write(new Uint8Array(65_537)).catch(() => {});
  await done;
  assertEquals(network.records[0].fault, "http_request_error");
  assertEquals(network.datagrams.open, 1);
});

Deno.test("association: it gets the drain time like a tunnel", async () => {
  const network = await VirtualNetwork.start();
  await virtualHost(network.datagrams, { host: "192.0.2.80", port: 7 }, (bytes) => bytes);
  const { done, bound, socket } = await associated(network);
  const closed = network.proxy.close({ drain: 1_000 });
  socket.send(request({ host: "192.0.2.80", port: 7 }, "x"), bound);
  await until(() => socket.heard.length === 1);
  network.clock.advance(1_000);
  await Promise.all([closed, done]);
  assertEquals(network.records[0].fault, "proxy_shutdown");
  assertEquals(network.datagrams.open, 2);
});

Deno.test("association: clients on other streams than TCP are told 07", async () => {
  const network = await VirtualNetwork.start();
  const [near, far] = memoryPair();
  const client = new Channel(near, "target");
  const done = network.proxy.handle({ ...far, local: { path: "/run/proxy.sock" }, remote: { path: "" } });
  await say(client, ASSOCIATE);
  assertEquals(await hearAll(client), "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00");
  await client.writer.close();
  await done;
  assertEquals(network.datagrams.open, 0);
});

Deno.test("association: a hook that throws leaves no socket behind", async () => {
  const network = await VirtualNetwork.start({
    onTransition: ({ event }) => {
      if (event === "association") throw new Error("A bug in a hook");
    },
  });
  const { client, done } = network.connect();
  const failed = assertRejects(() => done, Error, "A bug in a hook");
  await say(client, ASSOCIATE);
  await failed;
  assertEquals(network.datagrams.open, 0);
});
