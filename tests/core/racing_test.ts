import { assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/faults.ts";
import { interleaved, race } from "../../src/dialing/racing.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

type Fate = { readonly after: number; readonly connects: boolean } | "never";

/** A race between hosts of known fates, on a clock that the test turns. */
function racing(fates: Record<string, Fate>) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const controller = new AbortController();
  const result = race(Object.keys(fates), {
    clock,
    signal: controller.signal,
    release: (host) => log.push(`${clock.now()} released ${host}`),
    attempt: (host, signal) =>
      new Promise<string>((resolve, reject) => {
        log.push(`${clock.now()} tried ${host}`);
        const fate = fates[host];
        signal.addEventListener("abort", () => {
          log.push(`${clock.now()} closed ${host}`);
          reject(signal.reason);
        });
        if (fate === "never") return;
        clock.schedule(fate.after, () => {
          if (fate.connects) resolve(host);
          else reject(new Fault("connection_refused", `${host} refused`));
        });
      }),
  });
  result.catch(() => {});
  return { clock, log, controller, result };
}

/** Lets time pass in small steps, with the promises of each step settled before the next. */
async function pass(clock: VirtualClock, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 10) {
    clock.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

Deno.test("race() starts the next attempt 250 ms after the last, and the first to connect wins", async () => {
  const { clock, log, result } = racing({ a: "never", b: { after: 50, connects: true }, c: "never" });
  await pass(clock, 400);
  assertEquals(await result, "b");
  assertEquals(log, ["0 tried a", "250 tried b", "300 closed a"]);
  assertEquals(clock.pending, 0);
});

Deno.test("race() lets a slow attempt go on while others are tried: it may still win", async () => {
  const { clock, log, result } = racing({ a: { after: 400, connects: true }, b: "never" });
  await pass(clock, 500);
  assertEquals(await result, "a");
  assertEquals(log, ["0 tried a", "250 tried b", "400 closed b"]);
});

Deno.test("race() goes on at once behind a failure, and lists all of them when nothing is left", async () => {
  const refused = { after: 20, connects: false };
  const { clock, log, result } = racing({ a: refused, b: refused, c: refused });
  await pass(clock, 100);
  await assertRejects(() => result, Fault, "a refused; b refused; c refused");
  assertEquals(log, ["0 tried a", "20 tried b", "40 tried c"]);
  assertEquals(clock.pending, 0);
});

Deno.test("race() ends with the reason when it is aborted, and closes what is under way", async () => {
  const { clock, log, controller, result } = racing({ a: "never", b: "never" });
  await pass(clock, 300);
  controller.abort(new Fault("connection_timeout", "Too late"));
  await assertRejects(() => result, Fault, "Too late");
  assertEquals(log, ["0 tried a", "250 tried b", "300 closed a", "300 closed b"]);
  assertEquals(clock.pending, 0);
});

Deno.test("race() takes back a connection that comes when another has won", async () => {
  const clock = new VirtualClock();
  const released: string[] = [];
  const connected = { a: Promise.withResolvers<string>(), b: Promise.withResolvers<string>() };
  const result = race(["a", "b"], {
    clock,
    signal: new AbortController().signal,
    attempt: (host) => connected[host as "a" | "b"].promise,
    release: (host) => released.push(host),
  });
  clock.advance(250);
  connected.b.resolve("b");
  assertEquals(await result, "b");
  connected.a.resolve("a");
  await connected.a.promise;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(released, ["a"]);
});

Deno.test("interleaved() lets the families take turns, the first one first", () => {
  assertEquals(interleaved(["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"]), [
    "::1",
    "1.1.1.1",
    "::2",
    "2.2.2.2",
    "::3",
  ]);
  assertEquals(interleaved(["1.1.1.1", "::1", "::2", "::3"]), ["1.1.1.1", "::1", "::2", "::3"]);
  assertEquals(interleaved(["1.1.1.1"]), ["1.1.1.1"]);
  assertEquals(interleaved([]), []);
});
