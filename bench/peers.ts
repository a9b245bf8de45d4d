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
import { type Contestant, entries, type Entry, type Origin, type Origins, REFERENCE } from "./contestants.ts";
import { type Figures, FULL_SPEED, type Load, LOADS, type Setting } from "./loads.ts";
import { compileLoad, plentyForTcp, Program, stopAll, WORKSHOP } from "./processes.ts";
import { overview, type Result, summarize, type Summary, table } from "./report.ts";

const HELP = `Usage: deno task bench:peers [flags]

  --loads A,B-get,…     loads, or the first words of their names (A-down); all by default
  --only deno,haproxy,… contestants; by default all that are installed, of the Nodes only Node 24
  --rounds N            rounds (5)
  --seconds N           how long each measurement takes (2)
  --warm-up N           how long everybody is loaded before, so that compilers are through (8)
  --workers N           sluice with so many workers, on all cores (1)
  --json FILE           writes every figure of every round, too
  --list                tells the loads and the contestants, and who is missing

A load takes each contestant warm-up + rounds x seconds, and twice that where it also measures the plain set-up.
`;

/** What a comparison is made of. */
interface Terms {
  /** The contestants of all loads. */
  readonly entries: readonly Entry[];
  /** The contestant whose cost is 1, which need not be among them. */
  readonly reference: Entry;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUp: number;
}

/** A comparison under way. */
class Comparison {
  readonly #origins: Origins;
  readonly #terms: Terms;
  readonly #started = new Map<Entry, Promise<Contestant>>();
  /** The rate that the reference bears in this round. */
  #borne: Promise<number> | undefined;

  private constructor(origins: Origins, terms: Terms) {
    this.#origins = origins;
    this.#terms = terms;
  }

  static async begin(terms: Terms): Promise<Comparison> {
    await compileLoad();
    const start = async (): Promise<Origin> => {
      const program = new Program({ command: [`${WORKSHOP}/origin`], place: "load" });
      return { program, port: Number((await program.line(/^\d+\n/))[0]) };
    };
    return new Comparison({ requests: await start(), tunnels: await start() }, terms);
  }

  #running(entry: Entry): Promise<Contestant> {
    const started = this.#started.get(entry) ?? entry.start(this.#origins);
    this.#started.set(entry, started);
    return started;
  }

  /** Puts one load on each entry that can take it, in turns. The first round warms them up and does not count. */
  async run(load: Load): Promise<Result[]> {
    const { rounds, seconds, warmUp } = this.#terms;
    const results = this.#contest(load).map(({ entry, plain }) => ({
      entry,
      plain,
      contestant: entry.name,
      rounds: [] as Figures[],
      failure: undefined as string | undefined,
    }));
    for (let round = load.fresh ? 1 : 0; round <= rounds; round++) {
      this.#borne = undefined;
      for (const result of results) {
        if (result.failure !== undefined) continue;
        try {
          await plentyForTcp();
          const figures = await load.measure(this.#setting(result, round > 0 ? seconds : warmUp));
          if (round > 0) result.rounds.push(figures);
        } catch (error) {
          result.failure = String(error);
          await this.#stop(result.entry);
        }
      }
    }
    // Only plain proxies are needed again.
    if (load.setUp) await Promise.all(results.map(({ entry }) => this.#stop(entry)));
    return results.map(({ contestant, rounds, failure }) => ({ contestant, rounds, failure }));
  }

  /** The entries that can take a load, in its set-up; those of another set-up have the plain one beside them. */
  #contest({ setUp, suits }: Load): { entry: Entry; plain?: Entry }[] {
    const all = setUp === undefined ? this.#terms.entries.map((entry) => ({ entry })) : this.#terms.entries
      .flatMap((plain) => {
        const entry = plain.setUps?.[setUp];
        return entry ? [{ entry, plain }] : [];
      });
    return all.filter(({ entry }) => suits(entry.speaks));
  }

  #setting({ entry, plain }: { entry: Entry; plain?: Entry }, seconds: number): Setting {
    return {
      entry,
      origins: this.#origins,
      seconds,
      running: () => this.#running(entry),
      plain: plain && this.#setting({ entry: plain }, seconds),
      bearable: () => this.#borne ??= this.#bearable(seconds),
    };
  }

  /** Measured anew in each round, since the machine may have more or less time for us than before. */
  async #bearable(seconds: number): Promise<number> {
    const { rate } = await FULL_SPEED.measure(this.#setting({ entry: this.#terms.reference }, seconds));
    return rate!;
  }

  /** Stops a process that broke under a load, so that the next load gets a fresh one, or that is not needed again. */
  async #stop(entry: Entry): Promise<void> {
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
      rounds: { type: "string", default: "5" },
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
    : all.filter(({ name }) => !/^node(?!24)/.test(name));
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
    entries: wanted.filter(({ missing }) => !missing),
    reference: all.find(({ name }) => name === REFERENCE)!,
    rounds: Number(flags.rounds),
    seconds: Number(flags.seconds),
    warmUp: Number(flags["warm-up"]),
  });
  const summaries: Summary[] = [];
  for (const load of loads) {
    const results = summarize(load, await comparison.run(load));
    console.log(table(load, results));
    summaries.push(...results);
    if (flags.json) await Deno.writeTextFile(flags.json, JSON.stringify(summaries, null, 2) + "\n");
  }
  if (loads.length > 1) console.log(overview(loads, summaries));
}

for (const [name, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.addSignalListener(name, () => stopAll().finally(() => Deno.exit(status)));
}
try {
  await main();
} finally {
  await stopAll();
}
