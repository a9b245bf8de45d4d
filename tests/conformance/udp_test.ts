/**
 * UDP ASSOCIATE on the wire (RFC 1928 sections 4 and 7).
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { SOCKS5_GREETING, socks5Request } from "./exchanges.ts";
import { run } from "./real_clients.ts";
import { Suite, testRows } from "./suite.ts";
import { eventually } from "../support/waiting.ts";
import { Arrivals } from "../support/condition.ts";
import { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";
import { ROOT } from "../../scripts/toolchain.ts";

const suite = new Suite();
const guarded = new Suite({ flags: ["--deny-private"] });
const closed = new Suite({ flags: ["--user", "ann:secret"] });
const impatient = new Suite({ flags: ["--idle-timeout", "500ms"] });

/** A UDP socket that keeps what comes, and answers where it is told how. */
class UdpSocket implements AsyncDisposable {
  readonly arrivals = new Arrivals<{ bytes: Buffer; port: number }>("a datagram");
  readonly #socket;
  #port = 0;

  private constructor(host: string, answer?: (bytes: Buffer) => Uint8Array) {
    this.#socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    this.#socket.on("message", (bytes, from) => {
      this.arrivals.push({ bytes: Buffer.from(bytes), port: from.port });
      if (answer) this.#socket.send(answer(bytes), from.port, from.address);
    });
  }

  static async open(host: string, answer?: (bytes: Buffer) => Uint8Array): Promise<UdpSocket> {
    const opened = new UdpSocket(host, answer);
    const listening = once(opened.#socket, "listening");
    opened.#socket.bind(0, host);
    await listening;
    opened.#port = opened.#socket.address().port;
    return opened;
  }

  get port(): number {
    return this.#port;
  }

  async send(bytes: Uint8Array, port: number): Promise<void> {
    await new Promise((resolve) => this.#socket.send(bytes, port, "127.0.0.1", resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

function echo(host = "127.0.0.1"): Promise<UdpSocket> {
  return UdpSocket.open(host, (bytes) => bytes);
}

/** A datagram to a target, as section 7 has it: a request but for its first three octets. */
function datagram(host: string, port: number, payload: string | Uint8Array): Buffer {
  const header = socks5Request(host, port);
  header.fill(0, 0, 3);
  return Buffer.concat([header, typeof payload === "string" ? Buffer.from(payload) : payload]);
}

/** An association: its connection, the port for its datagrams, and a socket to send them from. */
class Client implements AsyncDisposable {
  readonly connection: RawConnection;
  readonly relay: number;
  readonly socket: UdpSocket;

  private constructor(connection: RawConnection, relay: number, socket: UdpSocket) {
    this.connection = connection;
    this.relay = relay;
    this.socket = socket;
  }

  /** Associates, with the port in the request where that is said. */
  static async associate(proxy: ProxyProcess, hinted = false): Promise<Client> {
    const socket = await UdpSocket.open("127.0.0.1");
    const connection = await proxy.connect();
    await connection.send(SOCKS5_GREETING);
    assertEquals([...await connection.read(2)], [5, 0]);
    await connection.send(socks5Request("0.0.0.0", hinted ? socket.port : 0, 3));
    const reply = await connection.read(10);
    assertEquals([...reply.subarray(0, 8)], [5, 0, 0, 1, 127, 0, 0, 1]);
    return new Client(connection, reply.readUInt16BE(8), socket);
  }

  send(host: string, port: number, payload: string | Uint8Array): Promise<void> {
    return this.socket.send(datagram(host, port, payload), this.relay);
  }

  async receive(): Promise<Buffer> {
    const { bytes, port } = await this.socket.arrivals.next();
    assertEquals(port, this.relay);
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection[Symbol.dispose]();
    await this.socket[Symbol.asyncDispose]();
  }
}

suite.test("1928 §7: datagrams go to IPv4 and IPv6 addresses and names, and answers come back", async (proxy) => {
  await using ipv4 = await echo();
  await using ipv6 = await echo("::1");
  await using client = await Client.associate(proxy);
  for (const [host, target] of [["127.0.0.1", ipv4], ["::1", ipv6], ["127.0.0.1", ipv4]] as const) {
    for (const payload of ["one", "", "x".repeat(9_000)]) {
      await client.send(host, target.port, payload);
      assertEquals(String(await client.receive()), String(datagram(host, target.port, payload)));
    }
  }
  // A name, as far as SOCKS is concerned, and one that every system resolves to the same address.
  await client.send("127.1", ipv4.port, "by name");
  assertEquals(String(await client.receive()), String(datagram("127.0.0.1", ipv4.port, "by name")));
});

testRows(
  "limits: datagrams beyond a bandwidth are dropped and counted, and a lone one passes",
  async (row) => {
    await using target = await echo();
    await using proxy = await ProxyProcess.start(row, ["--limit", "* to 20kB/s up"]);
    await using client = await Client.associate(proxy);
    await client.send("127.0.0.1", target.port, "alone");
    assertEquals(String((await client.receive()).subarray(10)), "alone");
    for (let i = 0; i < 60; i++) await client.send("127.0.0.1", target.port, "x".repeat(1_000));
    await eventually(() => target.arrivals.all.length > 1, "Some pass");
    client.connection.end();
    await client.connection.readToEnd();
    const { datagrams_sent, datagrams_dropped } = await proxy.record(`:${target.port}`, client.connection);
    assert(Number(datagrams_sent) <= 10, `${datagrams_sent} passed`);
    assert(Number(datagrams_dropped) >= 1, `${datagrams_dropped} were dropped`);
  },
);

suite.test("1928 §7: a DNS query is answered through it, and recorded with its bytes", async (proxy) => {
  const query = Buffer.from("123401000001000000000000076578616d706c6504746573740000010001", "hex");
  const tail = Buffer.from("c00c00010001000000ff0004c0000201", "hex");
  await using server = await UdpSocket.open("127.0.0.1", (bytes) => {
    const answer = Buffer.concat([bytes, tail]);
    answer.writeUInt16BE(0x8180, 2);
    answer.writeUInt16BE(1, 6);
    return answer;
  });
  await using client = await Client.associate(proxy, true);
  await client.send("127.0.0.1", server.port, query);
  const answer = (await client.receive()).subarray(10);
  assertEquals([answer.readUInt16BE(0), answer.readUInt16BE(2)], [0x1234, 0x8180]);
  assertEquals([...answer.subarray(-4)], [192, 0, 2, 1]);
  client.connection.end();
  assertEquals((await client.connection.readToEnd()).length, 0);
  const record = await proxy.record(`:${server.port}`, client.connection);
  assertEquals(
    [record.protocol, record.method, record.target, record.status, record.ending],
    ["socks5", "UDP", `127.0.0.1:${server.port}`, 0, "completed"],
  );
  assertEquals([record.bytes_sent, record.bytes_received], [query.length, query.length + tail.length]);
});

suite.test("associations are apart, and nobody uses another's port", async (proxy) => {
  await using target = await echo();
  await using first = await Client.associate(proxy);
  await using second = await Client.associate(proxy, true);
  assert(first.relay !== second.relay);
  await first.send("127.0.0.1", target.port, "first");
  await second.send("127.0.0.1", target.port, "second");
  assertEquals(String((await first.receive()).subarray(10)), "first");
  assertEquals(String((await second.receive()).subarray(10)), "second");
  const [a, b] = target.arrivals.all;
  assert(a.port !== b.port, "They share a socket");
  // The same machine, so the same IP address, but another port; and once more after them what is right.
  await using thief = await UdpSocket.open("127.0.0.1");
  for (const { relay } of [first, second]) {
    await thief.send(datagram("127.0.0.1", target.port, "thief"), relay);
  }
  // Nor does an answer come from where nobody has sent to.
  await thief.send(Buffer.from("unasked"), a.port);
  for (const client of [first, second]) {
    await client.send("127.0.0.1", target.port, "right");
    assertEquals(String((await client.receive()).subarray(10)), "right");
  }
  assertEquals(target.arrivals.all.map(({ bytes }) => String(bytes)).includes("thief"), false);
  assertEquals([first, second, { socket: thief }].map(({ socket }) => socket.arrivals.all.length), [2, 2, 0]);
});

suite.test("1928 §7: fragments and what is no datagram of SOCKS5 are dropped", async (proxy) => {
  await using target = await echo();
  await using client = await Client.associate(proxy);
  const good = datagram("127.0.0.1", target.port, "good");
  const spoiled = [[2, 1], [2, 0x80], [3, 2], [0, 5]].map(([at, value]) => {
    const bytes = Buffer.from(good);
    bytes[at] = value;
    return bytes;
  });
  const bad = [...spoiled, Buffer.alloc(0), good.subarray(0, 9), Buffer.from("GET / HTTP/1.1\r\n\r\n")];
  for (const bytes of bad) await client.socket.send(bytes, client.relay);
  await client.socket.send(good, client.relay);
  assertEquals(String((await client.receive()).subarray(10)), "good");
  assertEquals(target.arrivals.all.length, 1);
});

suite.test("a target that does not listen harms nothing", async (proxy) => {
  await using target = await echo();
  const gone = await echo();
  await gone[Symbol.asyncDispose]();
  await using client = await Client.associate(proxy);
  for (let i = 0; i < 5; i++) {
    await client.send("127.0.0.1", gone.port, "nobody there");
    await client.send("127.0.0.1", target.port, `${i}`);
    assertEquals(String((await client.receive()).subarray(10)), `${i}`);
  }
});

suite.test("1928 §7: the end of the connection ends the association, by FIN and by reset", async (proxy) => {
  await using target = await echo();
  for (const how of ["end", "reset"] as const) {
    await using client = await Client.associate(proxy);
    await client.send("127.0.0.1", target.port, "x");
    await client.receive();
    const before = target.arrivals.all.length;
    client.connection[how]();
    await proxy.record(`:${target.port}`, client.connection);
    await client.send("127.0.0.1", target.port, "too late");
    await using other = await Client.associate(proxy);
    await other.send("127.0.0.1", target.port, "other");
    await other.receive();
    assertEquals(target.arrivals.all.slice(before).map(({ bytes }) => String(bytes)), ["other"]);
  }
});

suite.test("the record of an association counts targets and datagrams each way", async (proxy) => {
  await using first = await echo();
  await using second = await echo();
  await using client = await Client.associate(proxy);
  for (const [target, count] of [[first, 2], [second, 1]] as const) {
    for (let sent = 0; sent < count; sent++) {
      await client.send("127.0.0.1", target.port, "12345");
      await client.receive();
    }
  }
  await client.socket.send(Buffer.from("no request"), client.relay);
  // Behind this one the other was looked at.
  await client.send("127.0.0.1", first.port, "x");
  await client.receive();
  client.connection.end();
  const record = await proxy.record(`127.0.0.1:${first.port}`, client.connection);
  const { targets, datagrams_sent, datagrams_received, datagrams_dropped, bytes_sent, bytes_received } =
    record;
  assertEquals(
    { targets, datagrams_sent, datagrams_received, datagrams_dropped, bytes_sent, bytes_received },
    {
      targets: 2,
      datagrams_sent: 4,
      datagrams_received: 4,
      datagrams_dropped: 1,
      bytes_sent: 16,
      bytes_received: 16,
    },
  );
});

impatient.test("an association without datagrams ends at the idle timeout", async (proxy) => {
  await using target = await echo();
  await using client = await Client.associate(proxy);
  await client.send("127.0.0.1", target.port, "x");
  await client.receive();
  await client.connection.ending();
  const record = await proxy.record(`:${target.port}`, client.connection);
  assertEquals([record.ending, record.bytes_sent], ["timed_out", 1]);
});

guarded.test("datagrams to addresses of this machine are dropped, and the record tells", async (proxy) => {
  await using target = await UdpSocket.open("127.0.0.1");
  await using client = await Client.associate(proxy);
  for (const host of ["127.0.0.1", "127.1", "localhost", "0x7f.1"]) {
    await client.send(host, target.port, "secret");
  }
  // Time for what must not come: a second association's whole life.
  await using other = await Client.associate(proxy);
  other.connection.end();
  await other.connection.readToEnd();
  client.connection.end();
  const record = await proxy.record(`127.0.0.1:${target.port}`, client.connection);
  assertEquals([record.fault, record.bytes_sent], ["destination_ip_prohibited", 0]);
  assertEquals(target.arrivals.all, []);
});

testRows("a public address of this machine is out of reach, by TCP and by UDP", async ({ command }) => {
  if (process.getuid?.() !== 0) return console.log("udp_test: only root can make a network");
  // On nothing but this the proxy and its client see the address.
  const address = "9.9.9.9";
  const setUp = `ip link set lo up && ip addr add ${address}/32 dev lo && exec "$@"`;
  const inside = [Deno.execPath(), "run", "-A", `${ROOT}/tests/conformance/own_address.ts`];
  const { exit, output, errors } = await run(
    ["unshare", "-n", "sh", "-c", setUp, "sh", ...inside, address, ...command],
  );
  assertEquals([exit, errors], [0, ""]);
  assertEquals(JSON.parse(String(output)), { status: 403, fault: "destination_ip_prohibited", heard: [] });
}, { programs: ["unshare", "ip"] });

closed.test("where there are users, an association needs a login", async (proxy) => {
  for (const [login, answer] of [["\x01\x03ann\x05wrong", 1], ["\x01\x03ann\x06secret", 0]] as const) {
    using client = await proxy.connect();
    await client.send("\x05\x01\x02" + login);
    assertEquals([...await client.read(4)], [5, 2, 1, answer]);
    await client.send(socks5Request("0.0.0.0", 0, 3)).catch(() => {});
    if (answer === 0) assertEquals([...await client.read(2)], [5, 0]);
    else assertEquals((await client.readToEnd()).length, 0);
  }
  using skipping = await proxy.connect();
  await skipping.send(Buffer.concat([SOCKS5_GREETING, socks5Request("0.0.0.0", 0, 3)]));
  assertEquals([...await skipping.readToEnd()], [5, 0xFF]);
});

/** How many sockets the proxy holds. Other descriptors come and go with the runtime. */
function openSockets({ pid }: ProxyProcess): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

// Of its own, so that nobody else's sockets are counted.
const counted = new Suite();

counted.test("associations leave no descriptor behind, however they end", async (proxy) => {
  await using target = await echo();
  const visit = async (index: number) => {
    await using client = await Client.associate(proxy);
    if (index % 3 > 0) {
      await client.send("127.0.0.1", target.port, "x");
      await client.receive();
    }
    if (index % 2 === 0) return client.connection.reset();
    client.connection.end();
    await client.connection.readToEnd();
  };
  const before = openSockets(proxy);
  for (let index = 0; index < 60; index++) await visit(index);
  await eventually(() => openSockets(proxy) <= before, "Sockets were left open");
});
