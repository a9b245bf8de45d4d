/**
 * Keeps a number of workers alive.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../../runtime/clock.ts";
import type { Log } from "../../observe/log.ts";
import { sumTotals } from "../../observe/metric_table.ts";
import type { Totals } from "../../observe/metrics.ts";
import type { Address } from "../../runtime/contract.ts";
import { CountedPlaces } from "../../policy/places.ts";
import type { Ask, LimitStore } from "../../limits/store.ts";
import type { Texts } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import type { Assignment, Order, Question, Report } from "./messages.ts";
import { Answers } from "./answers.ts";
import type { StopSignal } from "../program/signals.ts";
import type { StartWorker, WorkerHandle } from "./worker_start.ts";

/** Returns the assignment of a worker. */
export type Assign = (number: number, addresses: readonly Address[] | undefined) => Assignment;

/** What a reload gives to the workers. */
export interface Renewal {
  readonly texts: Texts;
  readonly assign: Assign;
  /** The most connections of one client, over all workers. */
  readonly perClient: number;
}

/** The options of a {@link WorkerPool}. */
export interface WorkerPoolOptions {
  readonly workers: number;
  readonly start: StartWorker;
  /** Returns the assignment of a worker. `addresses` are those of the first worker, undefined until it listens. */
  readonly assign: Assign;
  /** The texts of the files at the start. {@linkcode WorkerPool.reload} replaces them. */
  readonly texts: Texts;
  /** The most connections of one client, over all workers. */
  readonly perClient: number;
  /** Reads everything anew, because a worker has asked for it. */
  readonly onReload: () => Promise<void>;
  /** Keeps the counts of limits for all workers. */
  readonly limitStore: LimitStore;
  readonly log: Log;
  readonly clock?: Clock;
}

/** A worker that ended before it listened. */
export class StartError extends Error {
  override readonly name = "StartError";
  /** Its exit code, or the signal that killed it. */
  readonly ending: number | string;

  /** Unless the worker was killed, it has printed the reason itself. */
  constructor(label: string, ending: number | string) {
    super(`Cannot start a worker: ${label} ${describe(ending)}`);
    this.ending = ending;
  }
}

/** A worker that lived this long, in milliseconds, is replaced at once. A shorter life counts as a death in a row. */
const STEADY = 10_000;

/** The delay before the second worker in a row is replaced, in milliseconds. It doubles with each further death. */
const FIRST_DELAY = 100;
const LAST_DELAY = 10_000;

/** How much longer than the time to drain a worker may take before it is killed, in milliseconds. */
const GRACE = 5_000;

/** How long a worker may take for its last records after the second signal, in milliseconds. */
const LAST_WORDS = 3_000;

/** How long to wait for workers that are too busy to answer the others, in milliseconds. */
const PATIENCE = 1_000;

/** How long a reload waits for the workers, in milliseconds. A million rules take a few seconds. */
const RELOAD_PATIENCE = 30_000;

interface Member {
  readonly handle: WorkerHandle;
  readonly began: number;
  listening: boolean;
  /** The places that this worker has taken. */
  readonly places: CountedPlaces;
  /** Whether the worker has got the texts of the files. */
  equipped: boolean;
  /** The totals that it sent last. */
  totals: Totals | undefined;
  /** Settles a reload, by its number. */
  readonly reloads: Map<number, (fault: string) => void>;
}

/** Starts workers together, replaces those that die, and stops them together. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #clock: Clock;
  readonly #members = new Map<number, Member>();
  /** Deaths in a row, by the number of the worker. */
  readonly #deaths = new Map<number, number>();
  #addresses: readonly Address[] | undefined;
  #texts: Texts;
  #assign: Assign;
  #reloads = 0;
  readonly #places: CountedPlaces;
  /** The totals of the workers that have ended. */
  #past: Totals | undefined;
  /** The questions of workers that are not answered yet, by their number here. */
  readonly #calls = new Map<number, Answers<Member>>();
  #asked = 0;
  #stopping = false;
  #failed = false;
  #onEmpty = (): void => {};

  /** Starts nothing yet. */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#texts = options.texts;
    this.#assign = options.assign;
    this.#places = new CountedPlaces(options.perClient);
  }

  /**
   * Settles with the addresses once all workers listen. The first worker starts alone: it finds free ports, and prints
   * what is wrong with the options. So this is printed once. Rejects with a {@link StartError}.
   */
  async start(): Promise<readonly Address[]> {
    this.#addresses = await this.#startFirst(1);
    const others = Array.from({ length: this.#options.workers - 1 }, (_, i) => this.#startFirst(i + 2));
    await Promise.all(others);
    return this.#addresses;
  }

  /**
   * Gives new files to every worker, and to each that is started later. Settles when all workers have put them to use.
   * Rejects with a `UsageError` if one of them could not.
   */
  async reload({ texts, assign, perClient }: Renewal): Promise<void> {
    this.#texts = texts;
    this.#assign = assign;
    this.#places.limit = perClient;
    const reload = ++this.#reloads;
    const equipped = [...this.#members].filter(([, { equipped }]) => equipped);
    const faults = await Promise.all(equipped.map(([number, member]) =>
      new Promise<string>((resolve) => {
        const cancel = this.#clock.schedule(RELOAD_PATIENCE, () => resolve(""));
        member.reloads.set(reload, (fault) => {
          cancel();
          member.reloads.delete(reload);
          resolve(fault);
        });
        member.handle.send({ texts, assignment: assign(number, this.#addresses), reload });
      })
    ));
    const told = new Set(faults.filter((fault) => fault !== ""));
    if (told.size > 0) throw new UsageError([...told].join("\n"));
  }

  /** Lets all workers drain. Settles when they have ended: with true if none of them failed. */
  async stop(signal: StopSignal, drain: number): Promise<boolean> {
    this.#stopping = true;
    const order: Order = { stop: signal };
    const emptied = new Promise<void>((resolve) => this.#onEmpty = resolve);
    for (const { handle, listening } of this.#members.values()) {
      listening ? handle.send(order) : handle.kill();
    }
    const cancel = this.#clock.schedule(drain + GRACE, () => this.kill());
    if (this.#members.size > 0) await emptied;
    cancel();
    return !this.#failed;
  }

  /** Has all workers cut their connections and write the records. Kills those that have not ended in time. */
  stopNow(signal: StopSignal): void {
    this.#send({ stopNow: signal });
    this.#clock.schedule(LAST_WORDS, () => this.kill());
  }

  /** Has every worker reopen its log files. */
  reopenLogs(): void {
    this.#send({ reopen: true });
  }

  #send(order: Order): void {
    for (const { handle, listening } of this.#members.values()) if (listening) handle.send(order);
  }

  /** Kills all workers at once, and replaces none. */
  kill(): void {
    this.#stopping = true;
    for (const { handle } of this.#members.values()) handle.kill();
  }

  #startFirst(number: number): Promise<readonly Address[]> {
    return new Promise((resolve, reject) => {
      this.#start(number, { onListening: resolve, onFailure: (error) => (this.kill(), reject(error)) });
    });
  }

  #start(
    number: number,
    { onListening, onFailure }: {
      onListening?: (addresses: readonly Address[]) => void;
      onFailure?: (error: StartError) => void;
    } = {},
  ): void {
    const { start } = this.#options;
    const member: Member = {
      began: this.#clock.now(),
      listening: false,
      equipped: false,
      places: new CountedPlaces(Infinity),
      totals: undefined,
      reloads: new Map(),
      handle: start(this.#assign(number, this.#addresses), {
        onReport: (report: Report) => {
          if ("totals" in report) return this.#told(member, report.totals);
          if ("asks" in report) {
            return report.asks === "texts" ? this.#equip(number, member) : this.#renew(member);
          }
          if ("reloaded" in report) return member.reloads.get(report.reload)?.(report.reloaded);
          if ("limits" in report) return this.#count(number, member, report);
          if ("take" in report) return this.#take(member, report);
          if ("give" in report) return this.#give(member, report.give);
          if ("question" in report) return this.#ask(member, report);
          if ("answer" in report) return this.#calls.get(report.call)?.answered(member, report.answer);
          member.listening = true;
          onListening?.(report.listening);
        },
        onExit: (ending) => {
          this.#members.delete(number);
          member.places.moveTo(this.#places);
          for (const settle of member.reloads.values()) settle("");
          this.#options.limitStore.forget(askerOf(number, member));
          for (const call of this.#calls.values()) call.left(member);
          if (member.totals) this.#past = sumUp(this.#past, { ...member.totals, open: 0 });
          if (this.#stopping) this.#left(member, ending);
          else if (onFailure && !member.listening) onFailure(new StartError(member.handle.label, ending));
          else this.#replace(number, { member, ending });
        },
      }),
    };
    this.#members.set(number, member);
  }

  #equip(number: number, member: Member): void {
    member.equipped = true;
    member.handle.send({ texts: this.#texts, assignment: this.#assign(number, this.#addresses) });
  }

  /** Reads everything anew, and tells the worker who has asked how that has ended. */
  async #renew({ handle }: Member): Promise<void> {
    const reloaded = await this.#options.onReload().then(() => "", ({ message }: Error) => message);
    handle.send({ reloaded });
  }

  /** Passes a worker's questions on to the store, and the answers back. */
  async #count(
    number: number,
    member: Member,
    { limits, batch }: { readonly limits: readonly Ask[]; readonly batch: number },
  ): Promise<void> {
    const grants = await this.#options.limitStore.ask(limits, askerOf(number, member));
    member.handle.send({ grants, batch });
  }

  #take(member: Member, { take, place }: { readonly take: string; readonly place: number }): void {
    const taken = this.#places.take(take);
    if (taken) member.places.take(take);
    member.handle.send({ place, taken });
  }

  #give(member: Member, source: string): void {
    member.places.give(source);
    this.#places.give(source);
  }

  /** Answers the totals of a worker with the sum of the totals of all others. */
  #told(member: Member, totals: Totals): void {
    member.totals = totals;
    let others = this.#past;
    for (const other of this.#members.values()) {
      if (other !== member && other.totals) others = sumUp(others, other.totals);
    }
    if (others) member.handle.send({ others });
  }

  /** Passes a question on to all other workers, and their answers back. */
  #ask(asker: Member, { question, call: own }: { readonly question: Question; readonly call: number }): void {
    const call = ++this.#asked;
    const asked = [...this.#members.values()].filter((member) => member !== asker && member.listening);
    const cancel = this.#clock.schedule(PATIENCE, () => answers.giveUp());
    const answers = new Answers(asked, (answers) => {
      cancel();
      this.#calls.delete(call);
      asker.handle.send({ answers, call: own });
    });
    this.#calls.set(call, answers);
    for (const { handle } of asked) handle.send({ question, call });
    answers.check();
  }

  #left({ listening }: Member, ending: number | string): void {
    if (listening && ending !== 0) this.#failed = true;
    if (this.#members.size === 0) this.#onEmpty();
  }

  #replace(number: number, { member, ending }: { member: Member; ending: number | string }): void {
    const steady = this.#clock.now() - member.began >= STEADY;
    const deaths = steady ? 0 : this.#deaths.get(number) ?? 0;
    this.#deaths.set(number, deaths + 1);
    const what = `A worker (${number}, ${member.handle.label}) ${describe(ending)}`;
    const delay = deaths === 0 ? 0 : Math.min(FIRST_DELAY * 2 ** (deaths - 1), LAST_DELAY);
    this.#options.log.error(`${what}: starting another${delay > 0 ? ` in ${delay} ms` : ""}`);
    this.#clock.schedule(delay, () => {
      if (!this.#stopping) this.#start(number);
    });
  }
}

/** The worker's name in the store. One that replaces another is somebody else. */
function askerOf(number: number, { began }: Member): string {
  return `${number}-${began}`;
}

function sumUp(a: Totals | undefined, b: Totals): Totals {
  return a ? sumTotals(a, b) : b;
}

function describe(ending: number | string): string {
  return typeof ending === "number" ? `ended with exit code ${ending}` : `was killed by ${ending}`;
}
