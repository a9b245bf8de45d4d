/**
 * The runtime without free descriptors, in child processes that may hold 128.
 *
 * @module
 */

import { ok, strictEqual } from "node:assert";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Address, ByteStream, Runtime } from "../../src/runtime/contract.ts";
import { type Case, discard, rejectionCode, tcp } from "./links.ts";
import type { Peer } from "./peer_client.ts";
import { ROWS, type RuntimeName } from "./rows.ts";
import { eventually, standstill } from "../support/waiting.ts";

/** The programs that `main.ts NAME PROGRAM` runs instead of cases. Each line that they print is JSON. */
export const PROGRAMS: Readonly<Record<string, (runtime: Runtime, argument: string) => Promise<void>>> = {
  "--echo": serveEcho,
  "--dial": dialUntilRefused,
};

function print(value: unknown): void {
  process.stdout.write(JSON.stringify(value) + "\n");
}

/** Prints its address, then sends every client back what it sends. */
async function serveEcho(runtime: Runtime): Promise<void> {
  const listener = await runtime.listen({ address: tcp() });
  print(listener.address);
  for await (const { readable, writable } of listener) readable.pipeTo(writable).catch(() => {});
}

/**
 * Dials `address` until a dial fails, and prints the code. Then closes half of the connections, and prints the code of
 * the next dial.
 */
async function dialUntilRefused(runtime: Runtime, address: string): Promise<void> {
  const to = JSON.parse(address) as Address;
  const streams: ByteStream[] = [];
  async function dial(): Promise<void> {
    streams.push(await runtime.dial(to));
  }
  let code = "no rejection";
  while (streams.length < 300 && code === "no rejection") code = await rejectionCode(dial());
  print(code);
  for (const stream of streams.splice(0, streams.length / 2)) await discard(stream);
  print(await rejectionCode(dial()));
  process.exit();
}

/** A child with few descriptors that runs one of the programs. */
class StarvedChild {
  readonly pid: number;
  #process;
  #lines;

  constructor(...program: string[]) {
    const name = process.argv[2] as RuntimeName;
    const command = [process.execPath, ...ROWS[name].start, process.argv[1], name, ...program];
    this.#process = spawn("sh", ["-c", 'ulimit -n 128; exec "$@"', "sh", ...command], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.pid = this.#process.pid!;
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    process.once("exit", () => this.stop());
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The next line that it prints. */
  async next<Line>(): Promise<Line> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("The child has ended");
    return JSON.parse(value);
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Opens more clients than the server has descriptors, runs `meanwhile`, and closes them. */
async function starve(peer: Peer, meanwhile: (pid: number) => Promise<void>): Promise<void> {
  const server = new StarvedChild("--echo");
  try {
    const address = await server.next<Address>();
    strictEqual(await peer.visit(address), 1);
    await peer.crowd(address, { count: 300, enough: 130 });
    const descriptors = await standstill(() => readdirSync(`/proc/${server.pid}/fd`).length);
    ok(descriptors > 96, `Only ${descriptors} descriptors were used`);
    await meanwhile(server.pid);
    ok(server.alive, "The server has died");
    await peer.disperse();
    await eventually(async () => await peer.visit(address) === 1, "The server does not serve any more");
    ok(server.alive, "The server has died");
  } finally {
    await peer.disperse();
    server.stop();
  }
}

/** The share of one core that a process uses during two seconds, from /proc (where Linux counts 1/100 s). */
async function cpuShare(pid: number): Promise<number> {
  function ticks(): number {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  }
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  return (ticks() - before) / 200;
}

export const EXHAUSTION_CASES: Case[] = [
  {
    name: "a server without descriptors lives and serves again after their release",
    deadline: 30_000,
    run: (_runtime, peer) => starve(peer, () => Promise.resolve()),
  },
  {
    name: "a server without descriptors does not spin",
    deadline: 30_000,
    run(_runtime, peer) {
      return starve(peer, async (pid) => {
        const share = await cpuShare(pid);
        ok(share < 0.3, `The server used ${Math.round(share * 100)} % of a core`);
      });
    },
  },
  {
    name: "a dial without descriptors rejects with connection_limit_reached and succeeds after their release",
    async run(_runtime, peer) {
      const listener = await peer.listen(tcp(), { echo: true });
      const client = new StarvedChild("--dial", JSON.stringify(listener.address));
      strictEqual(await client.next(), "connection_limit_reached");
      strictEqual(await client.next(), "no rejection");
      await listener.close();
    },
  },
];
