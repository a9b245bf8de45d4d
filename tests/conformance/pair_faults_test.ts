/**
 * What becomes of clients of the local half when the remote one dies, hangs or cannot be reached any more.
 *
 * The short form runs with all tests. The long form, where the remote half is killed as many times as the variable says
 * and hangs for 30 s, and where a network namespace loses its link (as root, with `ip`), takes six minutes and prints what
 * it measured: `SLUICE_LOAD=50 deno task test tests/conformance/pair_faults_test.ts`.
 *
 * @module
 */

import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { digest, request, SOCKS5_GREETING, socks5Reply, socks5Request, tunnel } from "./exchanges.ts";
import { testRows } from "./suite.ts";
import { DEFAULT_TIMEOUTS } from "../../src/settings/timeouts.ts";
import { httpOrigin, Origin } from "../support/origin.ts";
import { Keys, Pair, PERMISSIONS, startLocal, startRemote } from "../support/pair.ts";
import type { ProxyProcess } from "../support/proxy.ts";
import type { RawConnection } from "../support/raw_client.ts";
import { type Row, rows } from "../support/toolchain.ts";

const LONG = Deno.env.has("SLUICE_LOAD");

const TUNNELS = 200;

/** How often the remote half is killed, and for how long there is time for that, in milliseconds. */
const KILLS = { count: Number(Deno.env.get("SLUICE_LOAD") ?? 1), time: 60_000 };

/** For how long the remote half is stopped: for lifelines to look twice and to make a probe. */
const STOP = LONG ? 30_000 : 1_000;

/** From the cut of a cable to the last word about it: two looks and a probe, and what a busy machine adds. */
const CABLE_LIMIT = 32_000;

/** For all tests. */
let keys: Keys;

Deno.test.beforeAll(async () => {
  keys = await Keys.make(rows(...PERMISSIONS)[0]);
});

Deno.test.afterAll(() => keys[Symbol.asyncDispose]());

function faultTest(name: string, body: (row: Row) => Promise<void>): void {
  testRows(name, body, { permissions: PERMISSIONS });
}

/** What the long form has found out. */
function report(row: Row, what: string): void {
  if (LONG) console.log(`${row.name}: ${what}`);
}

/** The status and the reply that a target gets now. */
async function attempt(local: ProxyProcess, { port }: Origin): Promise<string> {
  using http = await local.connect();
  await http.send(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  const status = (await http.readUntil("\r\n")).split(" ")[1];
  using socks = await local.connect();
  await socks.send(Buffer.concat([SOCKS5_GREETING, socks5Request("127.0.0.1", port)]));
  await socks.read(2);
  return `${status} ${await socks5Reply(socks)}`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** So many tunnels, of which every second one has just sent something. */
async function openTunnels(local: ProxyProcess, origin: Origin, count: number): Promise<RawConnection[]> {
  const clients: RawConnection[] = [];
  while (clients.length < count) {
    const some = Array.from({ length: 20 }, () => tunnel(local, origin.authority));
    clients.push(...await Promise.all(some));
  }
  for (const client of clients.filter((_, index) => index % 2 === 0)) await client.send("hello");
  return clients;
}

/** What one kill took, in milliseconds. */
interface Death {
  /** Until the last client was told. */
  readonly ended: number;
  /** For a refusal. */
  readonly refused: number;
  /** From the restart to the first request that was served. */
  readonly served: number;
}

/** Kills the remote half under tunnels of the local one, and starts it again. */
async function die(
  { remote, local, origin }: { remote: ProxyProcess; local: ProxyProcess; origin: Origin },
  restart: () => Promise<ProxyProcess>,
): Promise<Death & { remote: ProxyProcess }> {
  const clients = await openTunnels(local, origin, TUNNELS);
  const killed = performance.now();
  remote.kill("SIGKILL");
  const times = await Promise.all(clients.map(async (client) => {
    const ending = await client.ending();
    assertMatch(ending, /^(?:fin|ECONNRESET)$/);
    return performance.now() - killed;
  }));
  for (const client of clients) client[Symbol.dispose]();
  const asked = performance.now();
  assertEquals(await attempt(local, origin), "502 1");
  const refused = performance.now() - asked;
  const again = await restart();
  const back = performance.now();
  while (await attempt(local, origin) !== "200 0") {
    assertLess(performance.now() - back, 10_000);
    await pause(50);
  }
  return { remote: again, ended: Math.max(...times), refused, served: performance.now() - back };
}

/** The long form measures one row after the other. */
let turn = Promise.resolve();

faultTest(
  `kill -9 of the remote half under ${TUNNELS} tunnels ends each, and it serves again once it is back`,
  async (row) => {
    const before = turn;
    const over = Promise.withResolvers<void>();
    if (LONG) turn = over.promise;
    await before;
    using _turn = { [Symbol.dispose]: over.resolve };
    await using origin = await Origin.listen();
    const remoteFlags = [...keys.remoteFlags, "--allow-private"];
    let remote = await startRemote(row, remoteFlags);
    const at = ["--listen", `127.0.0.1:${remote.port}`];
    await using local = await startLocal(row, keys.localFlags(remote.port));
    const deaths: Death[] = [];
    const begun = performance.now();
    try {
      while (deaths.length < KILLS.count && performance.now() - begun < KILLS.time) {
        const death = await die({ remote, local, origin }, () => startRemote(row, [...remoteFlags, ...at]));
        remote = death.remote;
        deaths.push(death);
      }
    } finally {
      await remote[Symbol.asyncDispose]();
    }
    const worst = (of: keyof Death) => Math.round(Math.max(...deaths.map((death) => death[of])));
    report(
      row,
      `killed ${deaths.length} times under ${TUNNELS} tunnels; at worst ended within ${worst("ended")} ms, ` +
        `refused in ${worst("refused")} ms, served ${worst("served")} ms after the restart`,
    );
    // The bars of 1 s, at once and 2 s, are for a machine with nothing else to do.
    const patience = LONG ? 1 : 3;
    assertLess(worst("ended"), 1_000 * patience);
    assertLess(worst("refused"), 1_000 * patience);
    assertLess(worst("served"), 2_000 * patience);
  },
);

faultTest("a remote half that hangs for a while loses nothing", async (row) => {
  await using pair = await Pair.start(row, keys);
  const { local, remote } = pair;
  await using origin = await Origin.listen();
  await using web = await httpOrigin();
  const tunnels: [client: RawConnection, target: RawConnection][] = [];
  for (let i = 0; i < 10; i++) tunnels.push([await tunnel(local, origin.authority), await origin.accept()]);
  const sent = randomBytes(200_000);
  remote.kill("SIGSTOP");
  const moving = tunnels.map(([client, target], index) =>
    index % 2 === 0 ? [client, target] : [target, client]
  );
  const sending = moving.map(([from]) => from.send(sent));
  // Whoever asks meanwhile has to wait, no longer than it takes to connect.
  using client = await local.connect();
  await client.send(request("GET", `http://${web.authority}/`));
  // What cannot arrive is waited for where waiting must fail.
  await pause(STOP);
  remote.kill("SIGCONT");
  const answer = await client.message();
  assertEquals([answer.status, answer.text === "ok"], LONG ? [504, false] : [200, true]);
  await Promise.all(sending);
  await Promise.all(
    moving.map(async ([, to]) => assertEquals(digest(await to.read(sent.length)), digest(sent))),
  );
  report(row, `stopped for ${STOP / 1_000} s, and all ${tunnels.length} tunnels went on`);
  for (const [client, target] of tunnels) {
    client[Symbol.dispose]();
    target[Symbol.dispose]();
  }
});

/** Runs `ip`; a namespace is a machine of its own as far as the network goes. */
function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args);
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}

let cables = 0;

/** A network of its own at the other end of a cable. */
class Cable implements Disposable {
  readonly near: string;
  readonly far: string;
  readonly #name: string;

  constructor(index: number) {
    // The name of a device has 15 characters at most.
    this.#name = `s${process.pid}x${index}`;
    const [near, far] = [this.near, this.far] = [`198.18.${index}.1`, `198.18.${index}.2`];
    ip("netns", "add", this.#name);
    ip("link", "add", `${this.#name}a`, "type", "veth", "peer", "name", `${this.#name}b`);
    ip("link", "set", `${this.#name}b`, "netns", this.#name);
    ip("addr", "add", `${near}/24`, "dev", `${this.#name}a`);
    ip("link", "set", `${this.#name}a`, "up");
    ip("-n", this.#name, "addr", "add", `${far}/24`, "dev", `${this.#name}b`);
    for (const device of [`${this.#name}b`, "lo"]) ip("-n", this.#name, "link", "set", device, "up");
  }

  /** The row at the far end. */
  behind(row: Row): Row {
    return { ...row, command: ["ip", "netns", "exec", this.#name, ...row.command] };
  }

  /** The far end falls silent; what is sent to it goes nowhere, and nobody is told. */
  cut(): void {
    ip("-n", this.#name, "link", "set", `${this.#name}b`, "down");
    // Without this the near end would learn from its own link.
    ip("neigh", "replace", this.far, "lladdr", "02:00:00:00:00:01", "dev", `${this.#name}a`);
  }

  [Symbol.dispose](): void {
    ip("link", "del", `${this.#name}a`);
    ip("netns", "del", this.#name);
  }
}

if (LONG) {
  faultTest(
    "a cut cable is noticed within 30 s by tunnels, and within the connect timeout by requests",
    async (row) => {
      using cable = new Cable(++cables);
      await using remote = await startRemote(cable.behind(row), [
        ...keys.remoteFlags,
        ...["--allow-private", "--listen", `${cable.far}:0`],
      ]);
      const port = (remote.addresses[1] as { port: number }).port;
      const flags = keys.localFlags(port).map((flag) => flag.replace("127.0.0.1:", `${cable.far}:`));
      await using local = await startLocal(row, flags);
      await using origin = await Origin.listen(undefined, { host: cable.near });
      const tunnels = {
        idle: await tunnel(local, origin.authority),
        sending: await tunnel(local, origin.authority),
      };
      cable.cut();
      const cut = performance.now();
      await tunnels.sending.send("into the void");
      using client = await local.connect();
      await client.send(request("GET", `http://${origin.authority}/`));
      const answered = wait(() => client.received.length > 0 ? true : undefined).then(() =>
        performance.now() - cut
      );
      const ends = await Promise.all(
        Object.entries(tunnels).map(async ([name, tunnel]) => {
          await wait(() => tunnel.ended);
          const time = performance.now() - cut;
          const { fault } = JSON.parse(
            await local.output.find((line) => line.includes(`:${tunnel.localPort}"`)),
          );
          return { name, time, fault };
        }),
      );
      const answer = await client.message();
      const told = ends.map(({ name, time, fault }) => `${name} ended after ${seconds(time)} (${fault})`);
      report(row, `${told.join(", ")}; a new request ${answer.status} after ${seconds(await answered)}`);
      for (const { time } of ends) assertLess(time, CABLE_LIMIT);
      assertMatch(String(answer.status), /^50[24]$/);
      assertLess(await answered, DEFAULT_TIMEOUTS.connect + 2_000);
      for (const tunnel of Object.values(tunnels)) tunnel[Symbol.dispose]();
    },
  );
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}

/** For what takes longer than tests usually wait. */
async function wait<T>(look: () => T | undefined): Promise<T> {
  for (const end = performance.now() + 120_000; performance.now() < end; await pause(100)) {
    const found = look();
    if (found !== undefined) return found;
  }
  throw new Error("not within 120 s");
}
