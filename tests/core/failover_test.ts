import {
  assertEquals,
  assertInstanceOf,
  assertNotInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import type { Channel } from "../../src/streams/channel.ts";
import { Fault } from "../../src/faults.ts";
import { UpstreamFault } from "../../src/protocols/common/connector.ts";
import { Failover } from "../../src/dialing/failover.ts";
import { Health } from "../../src/dialing/health.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { MemoryNetwork } from "../support/memory_network.ts";
import { hear, say, until, VirtualNetwork } from "../support/virtual_network.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const FIRST = "198.51.100.1:1";
const SECOND = "198.51.100.2:1";
const THIRD = "198.51.100.3:1";
const ORIGIN = "203.0.113.9:80";

const REQUEST = {
  kind: "tunnel",
  target: { host: "203.0.113.9", port: 80 },
  client: { local: { path: "" }, remote: { path: "" } },
} as const;

/** Two proxies that work, and a third address where nobody listens. */
async function setUp({ up = [FIRST, SECOND] } = {}) {
  const network = new MemoryNetwork();
  for (const at of up) await network.proxy(`socks5://${at}`);
  network.echo(ORIGIN);
  const failover = new Failover(network);
  const dial = async (ats: string[], signal = new AbortController().signal) => {
    network.dialed.length = 0;
    const alternatives = ats.map((at) => parseChain(at === "direct" ? at : `socks5://${at}`));
    const options = { ...network.options({ signal }), timeout: 10_000 };
    const { route, channel } = await failover.dial(alternatives, REQUEST, options);
    channel.cut(new Fault("connection_terminated"));
    return route;
  };
  return { network, failover, dial };
}

Deno.test("failover: the first alternative that works is taken, and says which it is", async () => {
  const { network, dial } = await setUp();
  await using _ = network;
  assertEquals(await dial([FIRST, SECOND]), `socks5://${FIRST}`);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
  assertEquals(await dial([]), "direct");
  assertEquals(network.dialed, [ORIGIN]);
});

Deno.test("failover: a failed upstream gives way, is left alone for 5 s, and then tried by one again", async () => {
  const { network, dial } = await setUp();
  await using _ = network;
  const alternatives = [THIRD, FIRST, "direct"];
  assertEquals(await dial(alternatives), `socks5://${FIRST}`);
  assertEquals(network.dialed, [THIRD, FIRST, ORIGIN]);
  assertEquals(await dial(alternatives), `socks5://${FIRST}`);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
  network.clock.advance(4_999);
  await dial(alternatives);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
  network.clock.advance(1);
  await dial(alternatives);
  assertEquals(network.dialed, [THIRD, FIRST, ORIGIN]);
  await dial(alternatives);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
  await network.proxy(`socks5://${THIRD}`);
  network.clock.advance(9_999);
  await dial(alternatives);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
  network.clock.advance(1);
  assertEquals(await dial(alternatives), `socks5://${THIRD}`);
  assertEquals(await dial(alternatives), `socks5://${THIRD}`);
});

Deno.test("failover: where all have failed all are tried, in order, and the fault tells of all", async () => {
  const { network, dial } = await setUp({ up: [] });
  await using _ = network;
  for (let round = 0; round < 3; round++) {
    const fault = await assertRejects(() => dial([FIRST, SECOND]), UpstreamFault);
    assertEquals(network.dialed, [FIRST, SECOND]);
    assertEquals(fault.code, "connection_refused");
    assertEquals(
      fault.message,
      `socks5://${FIRST}: Cannot reach ${FIRST}; socks5://${SECOND}: Cannot reach ${SECOND}`,
    );
  }
  assertEquals(network.clock.pending, 0);
  await network.proxy(`socks5://${SECOND}`);
  assertEquals(await dial([FIRST, SECOND]), `socks5://${SECOND}`);
  assertEquals(await dial([FIRST, SECOND]), `socks5://${SECOND}`);
  assertEquals(network.dialed, [SECOND, ORIGIN]);
});

Deno.test("failover: a failed upstream comes last when the others fail too", async () => {
  const { network, dial } = await setUp({ up: [SECOND] });
  await using _ = network;
  await dial([FIRST, SECOND]);
  await network.proxy(`socks5://${FIRST}`);
  network.unplug(SECOND);
  assertEquals(await dial([FIRST, SECOND]), `socks5://${FIRST}`);
  assertEquals(network.dialed, [SECOND, FIRST, ORIGIN]);
});

Deno.test("failover: a target that is refused is the answer, and no failure of the upstream", async () => {
  const { network, dial } = await setUp();
  await using _ = network;
  network.unplug(ORIGIN);
  for (let round = 0; round < 2; round++) {
    const fault = await assertRejects(() => dial([FIRST, SECOND]), Fault);
    assertNotInstanceOf(fault, UpstreamFault);
    assertEquals([fault.code, fault.socks5], ["connection_refused", 5]);
    assertEquals(network.dialed, [FIRST, ORIGIN]);
  }
  const direct = await assertRejects(() => dial(["direct", FIRST]), Fault);
  assertNotInstanceOf(direct, UpstreamFault);
});

Deno.test("failover: an upstream that refuses a target works again, one that was not waited for does not", async () => {
  const { network, dial } = await setUp();
  await using _ = network;
  await dial([THIRD, FIRST]);
  network.clock.advance(5_000);
  network.silent.add(THIRD);
  const controller = new AbortController();
  const dialing = dial([THIRD, FIRST], controller.signal);
  await until(() => network.dialed.length === 1);
  controller.abort(new Fault("client_disconnected"));
  await assertRejects(() => dialing, Fault);
  assertEquals(await dial([THIRD, FIRST]), `socks5://${FIRST}`);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
  network.silent.clear();
  await network.proxy(`socks5://${THIRD}`);
  network.unplug(ORIGIN);
  network.clock.advance(10_000);
  for (let round = 0; round < 2; round++) {
    await assertRejects(() => dial([THIRD, FIRST]), Fault);
    assertEquals(network.dialed, [THIRD, ORIGIN]);
  }
});

Deno.test("failover: an upstream that is silent gives way within its share of the time", async () => {
  const { network, dial } = await setUp();
  await using _ = network;
  network.silent.add(THIRD);
  const dialing = dial([THIRD, FIRST]);
  await until(() => network.dialed.length === 1);
  await until(() => network.clock.pending > 0);
  // It is asked whether it is there when most of the time is over, and has the rest for an answer.
  network.clock.advance(3_000);
  await until(() => network.dialed.length === 2);
  network.clock.advance(1_999);
  assertEquals(network.dialed, [THIRD, THIRD]);
  network.clock.advance(1);
  assertEquals(await dialing, `socks5://${FIRST}`);
  assertEquals(await dial([THIRD, FIRST]), `socks5://${FIRST}`);
  assertEquals(network.dialed, [FIRST, ORIGIN]);
});

Deno.test("failover: the last alternative has all the time that is left, and an abort ends it all", async () => {
  const { network, dial } = await setUp({ up: [] });
  await using _ = network;
  network.silent.add(SECOND);
  const controller = new AbortController();
  const dialing = dial([FIRST, SECOND], controller.signal);
  await until(() => network.dialed.length === 2);
  network.clock.advance(60_000);
  const reason = new Fault("client_disconnected");
  controller.abort(reason);
  assertEquals(await assertRejects(() => dialing), reason);
  network.unplug(SECOND);
  network.silent.clear();
  await network.proxy(`socks5://${SECOND}`);
  assertEquals(await dial([FIRST, SECOND]), `socks5://${SECOND}`);
});

Deno.test("failover: what pauses is the alternative, however often it is written", async () => {
  const { network, failover, dial } = await setUp();
  await using _ = network;
  const pauses = (...ats: string[]) => ats.map((at) => failover.pauses(parseChain(at)));
  const [dead, alive] = [`socks5://${THIRD}`, `socks5://${FIRST}`];
  await dial([THIRD, FIRST]);
  assertEquals(pauses(dead, alive, `${dead},${alive}`, "direct"), [true, false, false, false]);
  network.clock.advance(5_000);
  assertEquals(pauses(dead, dead), [false, false]);
  await dial([THIRD, FIRST]);
  assertEquals(network.dialed, [THIRD, FIRST, ORIGIN]);
  assertEquals(pauses(dead), [true]);
  await network.proxy(dead);
  network.clock.advance(10_000);
  await dial([THIRD, FIRST]);
  assertEquals(pauses(dead, alive), [false, false]);
});

Deno.test("failover: an alternative that fails behind its dialing is left alone, too", async () => {
  const { network, failover, dial } = await setUp();
  await using _ = network;
  failover.failed(parseChain(`socks5://${FIRST}`));
  assertEquals(await dial([FIRST, SECOND]), `socks5://${SECOND}`);
  network.clock.advance(5_000);
  assertEquals(await dial([FIRST, SECOND]), `socks5://${FIRST}`);
});

/**
 * The first of two HTTP proxies takes one request and does something, and may be asked whether it is there, which it
 * takes as `greet` has it; says by which of them the next one goes.
 */
async function afterwards(
  act: (first: Channel, network: VirtualNetwork) => Promise<void>,
  greet?: (first: Channel) => Promise<void>,
): Promise<string> {
  const network = await VirtualNetwork.start({ proxy: ["http://192.0.2.51:1", "http://192.0.2.52:1"] });
  const get = "GET http://far.test/ HTTP/1.1\r\nHost: far.test\r\n\r\n";
  const asks = async () => {
    const { client } = network.connect();
    await say(client, get);
    const upstream = await network.origin();
    await hear(upstream, "\r\n\r\n");
    return { client, upstream };
  };
  const { client, upstream } = await asks();
  await act(upstream, network);
  const [, status] = /^HTTP\/1\.1 (\d+) /.exec(await hear(client, "\r\n\r\n"))!;
  await until(() => network.records.length === 1);
  // Nothing is asked twice.
  if (greet) {
    const greeted = await network.origin();
    assertStringIncludes(await hear(greeted, "\r\n\r\n"), "OPTIONS * HTTP/1.1\r\n");
    await greet(greeted);
    await until(() => greeted.reader.ended || greeted.reader.buffer.length === 0);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(network.dialed, Array(greet ? 2 : 1).fill("192.0.2.51:1"));
  await asks();
  return `${status}, ${network.dialed.at(-1)}`;
}

const close = async (upstream: Channel) => await upstream.writer.close();
const reset = (upstream: Channel) => Promise.resolve(upstream.cut(new Fault("connection_terminated")));
const unknown = (upstream: Channel) =>
  say(upstream, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
const deny = (upstream: Channel) => say(upstream, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");

Deno.test("failover: an HTTP proxy that hangs up whatever it is asked is left alone by the next request", async () => {
  for (const act of [close, reset]) {
    assertEquals(await afterwards(act, close), "502, 192.0.2.52:1");
    assertEquals(await afterwards(act, reset), "502, 192.0.2.52:1");
  }
});

Deno.test("failover: so is one that wants other credentials", async () => {
  assertEquals(await afterwards(unknown, unknown), "500, 192.0.2.52:1");
});

Deno.test("failover: one that has an answer of its own is not, whatever an origin made it do", async () => {
  for (const act of [close, reset]) assertEquals(await afterwards(act, deny), "502, 192.0.2.51:1");
  assertEquals(await afterwards(unknown, deny), "500, 192.0.2.51:1");
});

Deno.test("failover: a tunnel that an upstream does not answer counts only if it has no word of its own", async () => {
  await using network = new MemoryNetwork();
  network.echo(ORIGIN);
  await network.proxy(`socks5://${SECOND}`);
  const failover = new Failover(network);
  for (const scheme of ["http", "socks5"]) {
    const alternatives = [parseChain(`${scheme}://${FIRST}`), parseChain(`socks5://${SECOND}`)];
    const arrivals = network.server(FIRST);
    const dialing = failover.dial(alternatives, REQUEST, { ...network.options(), timeout: 10_000 });
    for (const naming of [true, false]) {
      const upstream = await arrivals.next();
      if (scheme === "socks5") {
        await upstream.reader.read();
        await upstream.writer.write(Uint8Array.of(5, 0));
        if (naming) await upstream.reader.read();
      } else {
        await hear(upstream, "\r\n\r\n");
        if (!naming) await deny(upstream);
      }
      await upstream.writer.close();
    }
    const fault = await assertRejects(() => dialing, UpstreamFault);
    assertEquals([fault.code, fault.doubtful], ["connection_terminated", true]);
    assertEquals(failover.pauses(alternatives[0]), false);
  }
});

Deno.test("failover: a target that is slow costs its upstream nothing that is there", async () => {
  await using network = new MemoryNetwork();
  const arrivals = network.server(FIRST);
  const failover = new Failover(network);
  const alternatives = [parseChain(`socks5://${FIRST}`), parseChain("direct")];
  const controller = new AbortController();
  const dialing = failover.dial(alternatives, { ...REQUEST, target: { host: "slow.test", port: 1 } }, {
    ...network.options({ signal: controller.signal }),
    timeout: 10_000,
    // The name server takes its time.
    resolver: {
      resolve: (_, signal) => new Promise((_, reject) => signal.onabort = () => reject(signal.reason)),
    },
  });
  await arrivals.next();
  await until(() => network.clock.pending === 1);
  network.clock.advance(3_000);
  const greeted = await arrivals.next();
  await greeted.reader.read();
  await greeted.writer.write(Uint8Array.of(5, 0));
  await until(() => network.clock.pending === 0);
  controller.abort(new Fault("connection_timeout"));
  await assertRejects(() => dialing, Fault);
  assertEquals(network.dialed, [FIRST, FIRST]);
  assertEquals(failover.pauses(alternatives[0]), false);
});

Deno.test("failover: an HTTP proxy that answers, or takes its time, is not", async () => {
  const refuses = (upstream: Channel) =>
    say(upstream, "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  assertEquals(await afterwards(refuses), "502, 192.0.2.51:1");
  const late = (_: Channel, { clock }: VirtualNetwork) => Promise.resolve(clock.advance(300_000));
  assertEquals(await afterwards(late), "504, 192.0.2.51:1");
});

Deno.test("failover: one alternative that fails has its own fault", async () => {
  const { network, dial } = await setUp({ up: [] });
  await using _ = network;
  const fault = await assertRejects(() => dial([FIRST]), Fault);
  assertInstanceOf(fault, UpstreamFault);
  assertEquals(fault.message, `socks5://${FIRST}: Cannot reach ${FIRST}`);
});

Deno.test("health: pauses double up to a minute, and one at a time asks again", () => {
  const clock = new VirtualClock();
  const health = new Health(clock);
  assertEquals(health.admits("a"), true);
  for (const pause of [5, 10, 20, 40, 60, 60]) {
    health.failed("a", "a");
    health.failed("a", "a");
    clock.advance(pause * 1_000 - 1);
    assertEquals(health.admits("a"), false);
    assertEquals(health.admits("b"), true);
    clock.advance(1);
    assertEquals(health.admits("a"), true);
    assertEquals(health.admits("a"), false);
  }
  health.recovered("a");
  assertEquals([health.admits("a"), health.admits("a")], [true, true]);
  health.failed("a", "a");
  clock.advance(5_000);
  assertEquals(health.admits("a"), true);
});

Deno.test("health: to ask whether something pauses is not to try it", () => {
  const clock = new VirtualClock();
  const health = new Health(clock);
  assertEquals(health.pauses("a"), false);
  health.failed("a", "a");
  clock.advance(4_999);
  assertEquals([health.pauses("a"), health.pauses("b")], [true, false]);
  clock.advance(1);
  assertEquals([health.pauses("a"), health.pauses("a")], [false, false]);
  // The one who tries it is the one who has asked for that.
  assertEquals([health.admits("a"), health.pauses("a"), health.admits("a")], [true, true, false]);
  clock.advance(10_000);
  assertEquals(health.pauses("a"), false);
  health.admits("a");
  health.recovered("a");
  assertEquals(health.pauses("a"), false);
});

Deno.test("health: what fails under ever new names is forgotten some day", () => {
  const health = new Health(new VirtualClock());
  for (let i = 0; i < 5_000; i++) health.failed(`${i}`, "a");
  assertEquals([health.admits("0"), health.admits("4999")], [true, false]);
});
