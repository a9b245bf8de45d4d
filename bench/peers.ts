/**
 * Compares sluice, on each runtime, with other proxies. Each runs as a whole process on this machine, and gets the
 * same load in turns.
 *
 * `deno task bench:peers` runs it; `--help` lists the flags. It skips peers that are not installed, and names them. It
 * compares CPU time for a unit of work, as medians over rounds in which each proxy has a turn. Unlike wall time, CPU
 * time is comparable on a machine that does other work meanwhile. The proxy has the last core for itself; client and
 * origin run on the others. If these two are idle part of the time, the proxy is the bottleneck.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type Contestant, entries, type Entry, type Origin, type Origins } from "./contestants.ts";
import { type Figures, type Load, LOADS, type Setting } from "./loads.ts";
import { compileLoad, Program, stopAll, WORKSHOP } from "./processes.ts";
import { type Result, summarize, type Summary, table } from "./report.ts";

const HELP = `Usage: deno task bench:peers [flags]

  --loads A,B-100,…     loads, or the first words of their names (A-down); all by default
  --only deno,haproxy,… contestants; all that are installed by default, Node 22 excepted
  --rounds N            rounds (3)
  --seconds N           how long each measurement takes (2)
  --warm-up N           how long everybody is loaded before, so that compilers are through (8)
  --workers N           sluice with so many workers, on all cores (1)
  --json FILE           writes every figure of every round, too
  --list                tells the loads and the contestants, and who is missing
`;

/** A comparison under way. */
class Comparison {
  readonly #origins: Origins;
  readonly #seconds: number;
  readonly #warmUp: number;
  readonly #started = new Map<Entry, Promise<Contestant>>();

  private constructor(origins: Origins, { seconds, warmUp }: { seconds: number; warmUp: number }) {
    this.#origins = origins;
    this.#seconds = seconds;
    this.#warmUp = warmUp;
  }

  static async begin(times: { seconds: number; warmUp: number }): Promise<Comparison> {
    await compileLoad();
    const start = async (): Promise<Origin> => {
      const program = new Program({ command: [`${WORKSHOP}/origin`], place: "load" });
      return { program, port: Number((await program.line(/^\d+\n/))[0]) };
    };
    return new Comparison({ requests: await start(), tunnels: await start() }, times);
  }

  #running(entry: Entry): Promise<Contestant> {
    const started = this.#started.get(entry) ?? entry.start(this.#origins);
    this.#started.set(entry, started);
    return started;
  }

  /** Puts one load on each entry that can take it, in turns. The first round warms them up and does not count. */
  async run(load: Load, all: readonly Entry[], rounds: number): Promise<Result[]> {
    const entries = load.pairs ? all.flatMap(({ pair }) => pair ?? []) : all;
    const results = entries.filter(({ speaks }) => load.suits(speaks)).map((entry) => ({
      entry,
      contestant: entry.name,
      rounds: [] as Figures[],
      failure: undefined as string | undefined,
    }));
    for (let round = load.fresh ? 1 : 0; round <= rounds; round++) {
      for (const result of results) {
        if (result.failure !== undefined) continue;
        try {
          const seconds = round > 0 ? this.#seconds : this.#warmUp;
          const figures = await load.measure(this.#setting(result.entry, seconds));
          if (round > 0) result.rounds.push(figures);
        } catch (error) {
          result.failure = String(error);
          await this.#giveUp(result.entry);
        }
      }
    }
    return results.map(({ contestant, rounds, failure }) => ({ contestant, rounds, failure }));
  }

  #setting(entry: Entry, seconds: number): Setting {
    return {
      entry,
      origins: this.#origins,
      seconds,
      running: () => this.#running(entry),
    };
  }

  /** Stops a process that broke under a load, so that the next load gets a fresh one. */
  async #giveUp(entry: Entry): Promise<void> {
    const contestant = await this.#started.get(entry)?.catch(() => undefined);
    this.#started.delete(entry);
    await contestant?.program.stop();
  }
}

/** The entries with the given names; throws if a name is unknown. */
function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  words: readonly string[],
  fits: (name: string, word: string) => boolean,
): T[] {
  const stranger = words.find((word) => !all.some(({ name }) => fits(name, word)));
  if (stranger !== undefined) {
    throw new Error(`Cannot find "${stranger}": there are ${all.map(({ name }) => name).join(", ")}`);
  }
  return all.filter(({ name }) => words.some((word) => fits(name, word)));
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    args: Deno.args,
    options: {
      help: { type: "boolean" },
      list: { type: "boolean" },
      loads: { type: "string", default: "" },
      only: { type: "string" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "2" },
      "warm-up": { type: "string", default: "8" },
      workers: { type: "string", default: "1" },
      json: { type: "string" },
    },
  });
  if (flags.help) return console.log(HELP);
  const words = flags.only?.split(",");
  const all = entries(Number(flags.workers));
  const wanted = words
    ? chosen(all, words, (name, word) => name === word)
    : all.filter(({ name }) => name !== "node22");
  const loads = chosen(
    LOADS,
    flags.loads.split(","),
    (name, word) => `${name}-`.startsWith(word && `${word}-`),
  );
  for (const { name, missing } of wanted) if (missing) console.log(`${name} is skipped: ${missing}`);
  if (flags.list) {
    for (const { name, title } of loads) console.log(`${name}: ${title}`);
    return console.log(`Contestants: ${all.map(({ name }) => name).join(", ")}`);
  }
  const comparison = await Comparison.begin({
    seconds: Number(flags.seconds),
    warmUp: Number(flags["warm-up"]),
  });
  const present = wanted.filter(({ missing }) => !missing);
  const summaries: Summary[] = [];
  for (const load of loads) {
    const results = summarize(load, await comparison.run(load, present, Number(flags.rounds)));
    console.log(table(load, results));
    summaries.push(...results);
    if (flags.json) await Deno.writeTextFile(flags.json, JSON.stringify(summaries, null, 2) + "\n");
  }
}

for (const [name, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.addSignalListener(name, () => stopAll().finally(() => Deno.exit(status)));
}
try {
  await main();
} finally {
  await stopAll();
}
