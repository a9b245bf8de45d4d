import { assertEquals, assertMatch } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import type { UpstreamFault } from "../../src/protocols/common/connector.ts";
import { MAX_UNANSWERED, type Place, Unanswered } from "../../src/dialing/unanswered.ts";
import { parseChain } from "../../src/dialing/upstream.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const CHAIN = parseChain("socks5h://192.0.2.1:1080");
const TARGET = { host: "origin.test", port: 80 };
const TIMEOUT = 10_000;
const PATIENCE = 7_500;

/** What has become of those who asked for places. */
class Crowd {
  readonly clock = new VirtualClock();
  readonly warnings: string[] = [];
  readonly places: Place[] = [];
  readonly refusals: unknown[] = [];
  readonly unanswered = new Unanswered({
    clock: this.clock,
    log: { warn: (message) => this.warnings.push(message) },
  });

  /** So many more ask. */
  async ask(count: number, { target = TARGET, signal = new AbortController().signal } = {}): Promise<void> {
    for (let i = 0; i < count; i++) {
      const asked = this.unanswered.enter(CHAIN, target, { signal, patience: PATIENCE, timeout: TIMEOUT });
      Promise.resolve(asked).then(
        (place) => this.places.push(place),
        (error) => this.refusals.push(error),
      );
    }
    await this.settle();
  }

  /** How many have got a place so far, and how many none. */
  async settle(): Promise<[placed: number, refused: number]> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return [this.places.length, this.refusals.length];
  }
}

Deno.test("unanswered: beyond the first ones others wait, and are refused together; the operator is told once", async () => {
  const crowd = new Crowd();
  await crowd.ask(MAX_UNANSWERED + 2);
  assertEquals(await crowd.settle(), [MAX_UNANSWERED, 0]);
  crowd.clock.advance(PATIENCE - 1);
  assertEquals(await crowd.settle(), [MAX_UNANSWERED, 0]);
  crowd.clock.advance(1);
  assertEquals(await crowd.settle(), [MAX_UNANSWERED, 2]);
  const [fault] = crowd.refusals as UpstreamFault[];
  assertEquals([fault.code, fault.doubtful], ["connection_timeout", true]);
  assertEquals(crowd.warnings.length, 1);
  assertMatch(
    crowd.warnings[0],
    /through socks5h:\/\/192\.0\.2\.1:1080: 64 connections to origin\.test:80 .*leads back/,
  );
  for (const place of crowd.places) place.ended();
  assertEquals(crowd.unanswered.size, 0);
  assertEquals(crowd.clock.pending, 0);
});

Deno.test("unanswered: other targets have places of their own", async () => {
  const crowd = new Crowd();
  await crowd.ask(MAX_UNANSWERED + 1);
  await crowd.ask(2, { target: { host: "other.test", port: 80 } });
  assertEquals(await crowd.settle(), [MAX_UNANSWERED + 2, 0]);
});

Deno.test("unanswered: with an upstream that answers after 5 s, 1000 clients of one target are all served", async () => {
  const crowd = new Crowd();
  let served = 0;
  await crowd.ask(1000);
  for (let wave = 0; wave < 2; wave++) {
    crowd.clock.advance(5_000);
    for (let i = served; i < crowd.places.length && served < 1000; i = served) {
      crowd.places[i].answered();
      served++;
      await crowd.settle();
    }
  }
  assertEquals(served, 1000);
  assertEquals(crowd.refusals, []);
  assertEquals([crowd.unanswered.size, crowd.clock.pending, crowd.warnings.length], [0, 0, 0]);
});

Deno.test("unanswered: whoever fails at once lets the next one go, and whoever has run out of time does not", async () => {
  const crowd = new Crowd();
  await crowd.ask(MAX_UNANSWERED + 3);
  crowd.places[0].ended();
  assertEquals(await crowd.settle(), [MAX_UNANSWERED + 1, 0]);
  crowd.clock.advance(1_000);
  for (const place of crowd.places.slice(1)) place.ended();
  assertEquals(await crowd.settle(), [MAX_UNANSWERED + 1, 0]);
  // Those who come are not kept waiting by it, and an answer helps everybody.
  await crowd.ask(1);
  crowd.places.at(-1)!.answered();
  assertEquals(await crowd.settle(), [MAX_UNANSWERED + 4, 0]);
});

Deno.test("unanswered: what has lasted as long as connecting may take keeps no newcomer waiting", async () => {
  const crowd = new Crowd();
  await crowd.ask(MAX_UNANSWERED);
  crowd.clock.advance(TIMEOUT);
  await crowd.ask(MAX_UNANSWERED);
  assertEquals(await crowd.settle(), [2 * MAX_UNANSWERED, 0]);
  for (const place of crowd.places) place.ended();
  assertEquals(crowd.unanswered.size, 0);
});

Deno.test("unanswered: who leaves the line is told why, and no place goes to him", async () => {
  const crowd = new Crowd();
  const controller = new AbortController();
  const gone = new Fault("proxy_shutdown");
  await crowd.ask(MAX_UNANSWERED);
  await crowd.ask(1, { signal: controller.signal });
  await crowd.ask(1);
  controller.abort(gone);
  await crowd.ask(1, { signal: AbortSignal.abort(gone) });
  assertEquals(await crowd.settle(), [MAX_UNANSWERED, 2]);
  assertEquals(crowd.refusals, [gone, gone]);
  crowd.places[0].ended();
  assertEquals(await crowd.settle(), [MAX_UNANSWERED + 1, 2]);
});
