/**
 * Runs the contract's cases in the runtime that runs this file: `main.ts deno|bun|node [part of a name]`.
 *
 * Start it at the root of the checkout. It looks for the Deno that runs the peer in CONTRACT_DENO or in PATH, prints
 * one JSON line per case, and fails if a case fails. The cases about descriptors start it with the name of a program
 * instead.
 *
 * @module
 */

import process from "node:process";
import type { Runtime } from "../../src/runtime/contract.ts";
import { CASES } from "./cases.ts";
import { PROGRAMS } from "./exhaustion_cases.ts";
import type { Case } from "./links.ts";
import { Peer } from "./peer_client.ts";
import { type Row, ROWS, type RuntimeName } from "./rows.ts";

/** The line for one case. */
export interface Verdict {
  readonly name: string;
  readonly milliseconds?: number;
  readonly error?: string;
  readonly skipped?: string;
}

const DEADLINE = 20_000;

async function judge(
  { name, run, deadline = DEADLINE }: Case,
  { runtime, peer }: { runtime: Runtime; peer: Peer },
): Promise<Verdict> {
  const start = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Not settled after ${deadline} ms`)), deadline);
  });
  try {
    await Promise.race([run(runtime, peer), late]);
    return { name, milliseconds: Math.round(performance.now() - start) };
  } catch (error) {
    return { name, error: describe(error) };
  } finally {
    clearTimeout(timer);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Some runtimes leave the message out of the stack.
  return error.stack?.includes(error.message) ? error.stack : `${error.message}\n${error.stack}`;
}

async function runCases({ load, lacks }: Row, filter: string): Promise<boolean> {
  const runtime = (await load()).createRuntime();
  const peer = new Peer("tests/contract/peer.ts", process.env.CONTRACT_DENO ?? "deno");
  let sound = true;
  let current = "";
  function report(verdict: Verdict): void {
    sound &&= verdict.error === undefined;
    process.stdout.write(JSON.stringify(verdict) + "\n");
  }
  for (const event of ["unhandledRejection", "uncaughtException"]) {
    process.on(event, (error) => report({ name: `${current}: ${event}`, error: describe(error) }));
  }
  for (const item of CASES.filter(({ name }) => name.includes(filter))) {
    current = item.name;
    const skipped = item.needs && lacks[item.needs];
    report(skipped ? { name: item.name, skipped } : await judge(item, { runtime, peer }));
  }
  peer.stop();
  return sound;
}

async function main(name = "", filter = "", argument = ""): Promise<void> {
  const row = ROWS[name as RuntimeName];
  if (row === undefined) throw new Error(`Unknown runtime "${name}": use ${Object.keys(ROWS).join(", ")}`);
  const program = PROGRAMS[filter];
  if (program === undefined) process.exit(await runCases(row, filter) ? 0 : 1);
  await program((await row.load()).createRuntime(), argument);
}

await main(...process.argv.slice(2));
