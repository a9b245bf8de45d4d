/**
 * A worker: one of several processes or threads that run the same command line and serve the same listeners. This file
 * finds out whether this process is one, and has its link to the process that started it.
 *
 * @module
 */

import type { Control } from "../program/control.ts";
import { ASSIGNMENT_VARIABLE } from "../flags/variables.ts";
import process from "node:process";
import { setInterval } from "node:timers";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { Others } from "../../observe/live.ts";
import type { Totals } from "../../observe/metrics.ts";
import type { Address, Runtime } from "../../runtime/contract.ts";
import type { LimitStore } from "../../limits/store.ts";
import type { Places } from "../../policy/places.ts";
import type { StopSignal } from "../program/signals.ts";
import type { Texts } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import { DistantOthers, DistantPlaces, DistantStore } from "./distant.ts";
import type { Answer, Assignment, Configured, Order, Question, Report } from "./messages.ts";

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
  // A terminal, or a service manager, sends its signals to all processes. A worker ignores them, and obeys the process that
  // forked it.
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

/** Sent as JSON, an undefined option is left out. But a worker without an admin listener must override the flag. */
function completed(assignment: Assignment): Assignment {
  return { admin: undefined, ...assignment };
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
    const send = (report: Report): void => wire.send(report);
    this.places = new DistantPlaces(send);
    this.limitStore = new DistantStore(send);
    this.others = new DistantOthers(send);
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
