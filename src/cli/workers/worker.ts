/**
 * A worker: one of several processes or threads that run the same command line and serve the same listeners. This file
 * has the messages to and from a worker, and finds out whether this process is a worker.
 *
 * @module
 */

import type { Control } from "../program/control.ts";
import { ASSIGNMENT_VARIABLE } from "../flags/variables.ts";
import process from "node:process";
import { setInterval } from "node:timers";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { LiveConnection, Others, Selection } from "../../observe/live.ts";
import type { RecentView } from "../../observe/recent.ts";
import type { Totals } from "../../observe/metrics.ts";
import type { Address, Runtime } from "../../runtime/contract.ts";
import type { Ask, Grant, LimitStore } from "../../limits/store.ts";
import type { Places } from "../../policy/places.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import type { StopSignal } from "../program/signals.ts";
import type { Texts } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";

/**
 * Options that a worker gets at its start; they override its flags. `privateDestinations` depends on all listeners, and
 * not every worker has all of them. All workers have the same `name`: otherwise the proxy would not notice a request
 * that loops through two of them.
 */
export type Assignment = Pick<ProxyOptions, "listen" | "admin" | "workers" | "name" | "privateDestinations">;

/** What a worker is made from. */
interface Configured {
  readonly texts: Texts;
  readonly assignment: Assignment;
}

/** A message to a running worker. */
export type Order =
  /** Drain, then end. The value is the signal that the main process got. */
  | { readonly stop: StopSignal }
  /** End at once. The value is the second signal. */
  | { readonly stopNow: StopSignal }
  /** Reopen the log files. */
  | { readonly reopen: true }
  /**
   * The texts of all files, already checked, and the assignment that fits them. The first ones answer the worker's question; later ones replace them. They
   * include secrets, so they are sent only over this wire, where no other program sees them.
   */
  | Configured
  /** The same for a reload, whose number is `reload`. */
  | Configured & { readonly reload: number }
  /** How the reload that the worker has asked for has ended: the fault, or an empty text. */
  | { readonly reloaded: string }
  /** The answer to the question with this number: whether the worker may keep a client's connection. */
  | { readonly place: number; readonly taken: boolean }
  /** The answers to the worker's questions about limits; `batch` is their number. */
  | { readonly grants: readonly Grant[]; readonly batch: number }
  /** The totals of the other workers. */
  | { readonly others: Totals }
  /** A question of another worker; `call` is its number. */
  | { readonly question: Question; readonly call: number }
  /** What the other workers have answered to the worker's own question. */
  | { readonly answers: readonly Answer[]; readonly call: number };

/** A message from a worker. */
export type Report =
  /** The worker has started, and asks for the texts of the files. */
  | { readonly asks: "texts" }
  /** The worker asks that everything be read anew. */
  | { readonly asks: "reload" }
  /** How a reload has ended: the fault, or an empty text. */
  | { readonly reloaded: string; readonly reload: number }
  /** The worker asks for a place for a client's connection. `place` is the number of this question. */
  | { readonly take: string; readonly place: number }
  /** The worker asks for tokens of limits. `batch` is the number of these questions. */
  | { readonly limits: readonly Ask[]; readonly batch: number }
  /** The worker gives back a place of this client. */
  | { readonly give: string }
  /** The worker accepts connections at these addresses. */
  | { readonly listening: readonly Address[] }
  /** The totals of the worker, sent once a second. */
  | { readonly totals: Totals }
  /** A question for all other workers; `call` is its number. */
  | { readonly question: Question; readonly call: number }
  /** The answer to another worker's question. */
  | { readonly answer: Answer; readonly call: number };

/** What a worker asks the others: for their open connections, for what has happened lately, or to cut connections. */
export type Question = "live" | "recent" | { readonly cut: Selection };

/** Open connections, what has happened lately, or how many were cut. */
export type Answer = readonly LiveConnection[] | RecentView | number;

/** How often a worker sends its totals, in milliseconds. */
const TELLING = 1_000;

/** A worker's link to the process that started it: orders come in, reports go out. */
export interface WorkerLink extends Control {
  readonly assignment: Assignment;
  /** Asks for the texts of the files of the configuration in force. */
  texts(): Promise<Texts>;
  /** The places of clients. The process that started the workers counts them. */
  readonly places: Places;
  /** The counts of limits. The process that started the workers has them. */
  readonly limitStore: LimitStore;
  readonly others: Others;
  /** Asks that everything be read anew, by all workers. Rejects with a `UsageError` if nothing was changed. */
  readonly askReload: () => Promise<void>;
  /** Answers what other workers ask from now on. */
  onQuestion(answer: (question: Question) => Answer): void;
  /** Begins to send the totals of this worker, every second. */
  tell(totals: () => Totals): void;
}

/**
 * The link of this worker; undefined if this process or thread is not a worker. A worker need not watch the process that
 * started it: when that ends, node:cluster ends the worker processes, and worker threads end with it.
 */
export function findWorkerLink(runtime: Runtime): WorkerLink | undefined {
  return isMainThread ? processLink(runtime) : threadLink();
}

function processLink(runtime: Runtime): WorkerLink | undefined {
  if (!process.connected) return undefined;
  const text = runtime.environment(ASSIGNMENT_VARIABLE);
  if (text === undefined) return undefined;
  // A terminal, or a service manager, sends its signals to all processes. A worker ignores them, and obeys the process that forked it.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"]) process.on(signal, () => {});
  return new MessageLink(JSON.parse(text), {
    onOrder: (callback) => process.on("message", callback as (message: unknown) => void),
    send(report) {
      if (process.connected) process.send!(report);
    },
  });
}

function threadLink(): WorkerLink | undefined {
  const assignment = (workerData as { assignment?: Assignment } | null)?.assignment;
  if (!assignment) return undefined;
  return new MessageLink(assignment, {
    onOrder: (callback) => parentPort!.on("message", callback),
    send: (report) => parentPort!.postMessage(report),
  });
}

interface Wire {
  onOrder(callback: (order: Order) => void): void;
  send(report: Report): void;
}

/** Asks the process that started the workers for places. */
class DistantPlaces implements Places {
  readonly #send: (report: Report) => void;
  /** The functions that wait for an answer, by the number of the question. */
  readonly #waiting = new Map<number, (taken: boolean) => void>();
  #asked = 0;

  constructor(send: (report: Report) => void) {
    this.#send = send;
  }

  take(source: string): Promise<boolean> {
    const place = ++this.#asked;
    this.#send({ take: source, place });
    return new Promise((resolve) => this.#waiting.set(place, resolve));
  }

  give(source: string): void {
    this.#send({ give: source });
  }

  answered({ place, taken }: { readonly place: number; readonly taken: boolean }): void {
    this.#waiting.get(place)?.(taken);
    this.#waiting.delete(place);
  }
}

/** Asks the other workers, through the process that started them all. */
class DistantOthers implements Others {
  totals: Totals | undefined;
  readonly #send: (report: Report) => void;
  /** The functions that wait for answers, by the number of the question. */
  readonly #waiting = new Map<number, (answers: readonly Answer[]) => void>();
  #asked = 0;

  constructor(send: (report: Report) => void) {
    this.#send = send;
  }

  async live(): Promise<readonly LiveConnection[]> {
    return (await this.#ask("live")).flatMap((answer) => answer as readonly LiveConnection[]);
  }

  async recent(): Promise<readonly RecentView[]> {
    return (await this.#ask("recent")) as readonly RecentView[];
  }

  async cut(selection: Selection): Promise<number> {
    const counts = await this.#ask({ cut: selection });
    return (counts as readonly number[]).reduce((sum, count) => sum + count, 0);
  }

  #ask(question: Question): Promise<readonly Answer[]> {
    const call = ++this.#asked;
    this.#send({ question, call });
    return new Promise((resolve) => this.#waiting.set(call, resolve));
  }

  answered({ call, answers }: { readonly call: number; readonly answers: readonly Answer[] }): void {
    this.#waiting.get(call)?.(answers);
    this.#waiting.delete(call);
  }
}

/** Sent as JSON, an undefined option is left out. But a worker without an admin listener must override the flag. */
function completed(assignment: Assignment): Assignment {
  return { admin: undefined, ...assignment };
}

/** Asks the process that started the workers for tokens of limits. */
class DistantStore implements LimitStore {
  readonly #send: (report: Report) => void;
  /** The functions that wait for answers, by the number of the questions. */
  readonly #waiting = new Map<number, (grants: readonly Grant[]) => void>();
  #asked = 0;

  constructor(send: (report: Report) => void) {
    this.#send = send;
  }

  ask(limits: readonly Ask[]): Promise<readonly Grant[]> {
    const batch = ++this.#asked;
    this.#send({ limits, batch });
    return new Promise((resolve) => this.#waiting.set(batch, resolve));
  }

  forget(): void {}

  answered({ grants, batch }: { readonly grants: readonly Grant[]; readonly batch: number }): void {
    this.#waiting.get(batch)?.(grants);
    this.#waiting.delete(batch);
  }
}

class MessageLink implements WorkerLink {
  assignment: Assignment;
  readonly stop: Promise<StopSignal>;
  readonly stopNow: Promise<StopSignal>;
  readonly places: DistantPlaces;
  readonly limitStore: DistantStore;
  readonly others: DistantOthers;
  #answer: (question: Question) => Answer = () => [];
  readonly #wire: Wire;
  readonly #texts: Promise<Texts>;
  #stop: (signal: StopSignal) => void = () => {};
  #stopNow: (signal: StopSignal) => void = () => {};
  #reopen = (): void => {};
  /** Settles {@link MessageLink.texts}. */
  #begin: (texts: Texts) => void = () => {};
  /** Settles with the function that reloads. */
  readonly #reload: Promise<(texts: Texts) => Promise<void>>;
  #setReload: (reload: (texts: Texts) => Promise<void>) => void = () => {};
  /** The functions that wait for the end of a reload that this worker has asked for. */
  readonly #waiting: ((fault: string) => void)[] = [];

  constructor(assignment: Assignment, wire: Wire) {
    this.assignment = completed(assignment);
    this.#wire = wire;
    this.places = new DistantPlaces((report) => wire.send(report));
    this.limitStore = new DistantStore((report) => wire.send(report));
    this.others = new DistantOthers((report) => wire.send(report));
    this.stop = new Promise((resolve) => this.#stop = resolve);
    this.stopNow = new Promise((resolve) => this.#stopNow = resolve);
    this.#texts = new Promise((resolve) => this.#begin = resolve);
    this.#reload = new Promise((resolve) => this.#setReload = resolve);
    wire.onOrder((order) => this.#obey(order));
  }

  #obey(order: Order): void {
    if ("stop" in order) this.#stop(order.stop);
    else if ("stopNow" in order) this.#stopNow(order.stopNow);
    else if ("reopen" in order) this.#reopen();
    else if ("place" in order) this.places.answered(order);
    else if ("grants" in order) this.limitStore.answered(order);
    else if ("others" in order) this.others.totals = order.others;
    else if ("answers" in order) this.others.answered(order);
    else if ("question" in order) {
      this.#wire.send({ answer: this.#answer(order.question), call: order.call });
    } else if ("reload" in order) this.#reloadBy(order);
    else if ("reloaded" in order) this.#waiting.shift()?.(order.reloaded);
    else {
      this.assignment = completed(order.assignment);
      this.#begin(order.texts);
    }
  }

  /** Takes the texts once the proxy runs, and tells how that has ended. */
  async #reloadBy({ texts, assignment, reload }: Configured & { readonly reload: number }): Promise<void> {
    const take = await this.#reload;
    this.assignment = completed(assignment);
    const reloaded = await take(texts).then(() => "", ({ message }: Error) => message);
    this.#wire.send({ reloaded, reload });
  }

  readonly askReload = async (): Promise<void> => {
    this.#wire.send({ asks: "reload" });
    const fault = await new Promise<string>((resolve) => this.#waiting.push(resolve));
    if (fault !== "") throw new UsageError(fault);
  };

  texts(): Promise<Texts> {
    this.#wire.send({ asks: "texts" });
    return this.#texts;
  }

  onReload(callback: (texts: Texts) => Promise<void>): void {
    this.#setReload(callback);
  }

  onQuestion(answer: (question: Question) => Answer): void {
    this.#answer = answer;
  }

  onReopen(callback: () => void): void {
    this.#reopen = callback;
  }

  listening(listening: readonly Address[]): void {
    this.#wire.send({ listening });
  }

  tell(totals: () => Totals): void {
    setInterval(() => this.#wire.send({ totals: totals() }), TELLING).unref();
  }
}
