import { assertEquals, assertRejects } from "@std/assert";
import { detectRuntime } from "../../src/detect_runtime.ts";
import { Fault } from "../../src/faults.ts";
import { OwnAddresses } from "../../src/policy/own_addresses.ts";
import { dialDirect, type DirectConnection } from "../../src/dialing/direct.ts";
import { VirtualClock } from "../support/virtual_clock.ts";
import { hear, say, VirtualNetwork } from "../support/virtual_network.ts";

/** A target at the given addresses, dialed on a network where some are slow and some cannot be reached. */
function dialing(
  addresses: readonly string[],
  network: Partial<Pick<VirtualNetwork, "slow" | "unreachable">>,
) {
  const net = new VirtualNetwork();
  Object.assign(net.slow, network.slow);
  Object.assign(net.unreachable, network.unreachable);
  const controller = new AbortController();
  const dialed: Promise<DirectConnection> = dialDirect({ host: "a.test", port: 80 }, {
    runtime: net.runtime,
    resolver: { resolve: () => Promise.resolve(addresses) },
    clock: net.clock,
    signal: controller.signal,
    judge: () => {},
  });
  dialed.catch(() => {});
  return { net, controller, dialed };
}

/** Lets time pass in small steps, with the promises of each step settled before the next. */
async function pass(clock: VirtualClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 10) {
    clock.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

const [SIX, FOUR] = ["2001:db8::1", "192.0.2.1"];

Deno.test("with IPv6 leading nowhere, IPv4 is connected in less than 350 ms", async () => {
  const { net, dialed } = dialing([SIX, FOUR], { unreachable: { [SIX]: "hang" }, slow: { [FOUR]: 20 } });
  await pass(net.clock, 350);
  const { address, dialTime } = await dialed;
  assertEquals([address.host, dialTime], [FOUR, 270]);
});

Deno.test("an address that takes 400 ms still connects, alone and beside one that leads nowhere", async () => {
  for (const addresses of [[FOUR], [FOUR, SIX], [SIX, FOUR]]) {
    const { net, dialed } = dialing(addresses, { unreachable: { [SIX]: "hang" }, slow: { [FOUR]: 400 } });
    await pass(net.clock, 700);
    const { address, dialTime } = await dialed;
    assertEquals([address.host, dialTime], [FOUR, addresses[0] === FOUR ? 400 : 650]);
  }
});

Deno.test("with both leading nowhere it is the deadline that ends it, with its own fault", async () => {
  const { net, controller, dialed } = dialing([SIX, FOUR], {
    unreachable: { [SIX]: "hang", [FOUR]: "hang" },
  });
  await pass(net.clock, 1_000);
  assertEquals(net.dialed, ["[2001:db8::1]:80", "192.0.2.1:80"]);
  controller.abort(new Fault("connection_timeout"));
  const fault = await assertRejects(() => dialed, Fault);
  assertEquals([fault.code, fault.status, net.clock.pending], ["connection_timeout", 504, 0]);
});

Deno.test("dialDirect() lists the attempts where all have failed", async () => {
  const { net, dialed } = dialing([SIX, FOUR], {
    unreachable: { [SIX]: "destination_ip_unroutable", [FOUR]: "connection_refused" },
  });
  await pass(net.clock, 20);
  const fault = await assertRejects(
    () => dialed,
    Fault,
    "Cannot reach 2001:db8::1:80; Cannot reach 192.0.2.1:80",
  );
  assertEquals(fault.code, "connection_refused");
});

Deno.test("the machine's own addresses are refused in every spelling, and read again after ten seconds", () => {
  const clock = new VirtualClock();
  let own = ["198.51.100.1", "2001:db8::1"];
  const openDatagrams = () => Promise.reject(new Error("Nobody is to ask"));
  const addresses = new OwnAddresses({ runtime: { ownAddresses: () => own, openDatagrams }, clock });
  const refused = (host: string) => {
    try {
      addresses.refuse({ host, port: 80 });
      return false;
    } catch (error) {
      assertEquals((error as Fault).code, "destination_ip_prohibited");
      return true;
    }
  };
  const hosts = ["198.51.100.1", "::ffff:198.51.100.1", "2001:DB8:0::1", "198.51.100.2"];
  assertEquals(hosts.map(refused), [true, true, true, false]);
  own = ["198.51.100.2"];
  clock.advance(9_999);
  assertEquals(hosts.map(refused), [true, true, true, false]);
  clock.advance(1);
  assertEquals(hosts.map(refused), [false, false, false, true]);
});

Deno.test("where interfaces cannot be listed, an address that can be bound is this machine's", async () => {
  const { openDatagrams } = await detectRuntime();
  let own: string[] = [];
  const runtime = { ownAddresses: () => own, openDatagrams };
  const clock = new VirtualClock();
  const addresses = new OwnAddresses({ runtime, clock });
  for (const host of ["127.0.0.1", "127.1.2.3", "::1"]) {
    const fault = await assertRejects(
      () => addresses.refuseBindable({ host, port: 53 }),
      Fault,
      "this machine",
    );
    assertEquals(fault.code, "destination_ip_prohibited");
  }
  await addresses.refuseBindable({ host: "203.0.113.99", port: 53 });
  // Not allowed to bind, or no descriptors left: nothing is known, and nothing is let pass.
  runtime.openDatagrams = () => Promise.reject(Object.assign(new Error(), { code: "permission_denied" }));
  await assertRejects(() => addresses.refuseBindable({ host: "203.0.113.99", port: 53 }), Fault);
  // A list is enough.
  own = ["203.0.113.98"];
  clock.advance(10_000);
  await addresses.refuseBindable({ host: "203.0.113.99", port: 53 });
  await assertRejects(() => addresses.refuseBindable({ host: "203.0.113.98", port: 53 }), Fault);
});

Deno.test("a name that is public at first and private later is never dialed at the private address", async () => {
  const net = await VirtualNetwork.start({ privateDestinations: "deny" });
  const connect = "CONNECT rebound.test:443 HTTP/1.1\r\nHost: rebound.test:443\r\n\r\n";
  const ask = async (expected: RegExp) => {
    const { client } = net.connect();
    await say(client, connect);
    await hear(client, expected);
  };
  net.hosts["rebound.test"] = ["8.8.8.8"];
  await ask(/^HTTP\/1\.1 200 .*\r\n\r\n/s);
  net.hosts["rebound.test"] = ["127.0.0.1"];
  await ask(/^HTTP\/1\.1 200 .*\r\n\r\n/s);
  net.clock.advance(5_000);
  await ask(/^HTTP\/1\.1 403 .*destination_ip_prohibited\r\n/s);
  assertEquals(net.dialed, ["8.8.8.8:443", "8.8.8.8:443"]);
  await net.proxy.close({ drain: 0 });
});
