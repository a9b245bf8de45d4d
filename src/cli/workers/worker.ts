/**
 * A worker: one of several processes or threads that run the same command line and serve the same listeners. What it
 * is told, what it tells, and how it finds out that it is one.
 *
 * @module
 */

import type { Control } from "../program/control.ts";
import { ASSIGNMENT_VARIABLE } from "../flags/variables.ts";
import process from "node:process";
import { setInterval } from "node:timers";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { Totals } from "../../observe/metrics.ts";
import type { Address, Runtime } from "../../runtime/contract.ts";
import type { Places } from "../../policy/places.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import type { StopSignal } from "../program/signals.ts";
import type { Texts } from "../../text/text_file.ts";

/**
 * What a worker is told when it starts, in place of what the flags say: where it listens, of how many it is one, where
 * clients may go (which is a matter of all listeners, and not every worker has all of them), and what they all call
 * themselves, without which loops through two of them would not be found.
 */
export type Assignment = Pick<ProxyOptions, "listen" | "admin" | "workers" | "name" | "privateDestinations">;

/** What a worker is told later. */
export type Order =
  /** Drain and end, at the signal of this name. */
  | { readonly stop: StopSignal }
  /** End at once, at the second signal. */
  | { readonly stopNow: StopSignal }
  /** Open the log files anew. */
  | { readonly reopen: true }
  /**
   * The texts of all files, which have been checked. The first ones are the answer to what the worker asks for; it takes
   * later ones in their place. Secrets are among them: they go over this wire alone, where no other program sees them.
   */
  | { readonly texts: Texts }
  /** The answer to the question of this number: whether a client's connection has a place. */
  | { readonly place: number; readonly taken: boolean }
  /** What the other workers have done. */
  | { readonly others: Totals };

/** What a worker tells. */
export type Report =
  /** It has started, and asks for the texts of the files. */
  | { readonly asks: "texts" }
  /** It asks for one of the places of a client, and numbers its question. */
  | { readonly take: string; readonly place: number }
  /** It gives a place of that client back. */
  | { readonly give: string }
  /** It accepts, and where. */
  | { readonly listening: readonly Address[] }
  /** What it has done, every now and then. */
  | { readonly totals: Totals };

/** How often a worker tells what it has done, in milliseconds. */
const TELLING = 1_000;

/** What a worker has of the process that started it: its orders, and where it reports to. */
export interface WorkerLink extends Control {
  readonly assignment: Assignment;
  /** The texts of the files to begin with: of the configuration that is in force. */
  texts(): Promise<Texts>;
  /** The places of clients, of which the process keeps count that has started the workers. */
  readonly places: Places;
  /** What the other workers have done, as far as is known. */
  readonly others: Totals | undefined;
  /** Tells what this one has done, from now on. */
  tell(totals: () => Totals): void;
}

/**
 * Undefined where this is no worker. A worker needs not look after itself: node:cluster ends a process when the one that
 * has forked it is gone, and threads end with their process.
 */
export function findWorkerLink(runtime: Runtime): WorkerLink | undefined {
  return isMainThread ? processLink(runtime) : threadLink();
}

function processLink(runtime: Runtime): WorkerLink | undefined {
  if (!process.connected) return undefined;
  const text = runtime.environment(ASSIGNMENT_VARIABLE);
  if (text === undefined) return undefined;
  // A terminal sends its signals to all processes; what counts is the order of the one that has forked them.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  // JSON has no undefined, which takes the listener for the pages away.
  return new MessageLink({ admin: undefined, ...JSON.parse(text) }, {
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

/** Asks at the other end of the wire. */
class DistantPlaces implements Places {
  readonly #send: (report: Report) => void;
  /** Who waits for an answer, by the number of the question. */
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

class MessageLink implements WorkerLink {
  readonly assignment: Assignment;
  readonly stop: Promise<StopSignal>;
  readonly stopNow: Promise<StopSignal>;
  readonly places: DistantPlaces;
  others: Totals | undefined;
  readonly #wire: Wire;
  readonly #texts: Promise<Texts>;
  #stop: (signal: StopSignal) => void = () => {};
  #stopNow: (signal: StopSignal) => void = () => {};
  #reopen = (): void => {};
  /** Undefined once the first texts are here. */
  #begin: ((texts: Texts) => void) | undefined;
  /** Texts that came before anybody wanted to hear of them. */
  #newest: Texts | undefined;
  #reload = (texts: Texts): void => void (this.#newest = texts);

  constructor(assignment: Assignment, wire: Wire) {
    this.assignment = assignment;
    this.#wire = wire;
    this.places = new DistantPlaces((report) => wire.send(report));
    this.stop = new Promise((resolve) => this.#stop = resolve);
    this.stopNow = new Promise((resolve) => this.#stopNow = resolve);
    this.#texts = new Promise((resolve) => this.#begin = resolve);
    wire.onOrder((order) => this.#obey(order));
  }

  #obey(order: Order): void {
    if ("stop" in order) this.#stop(order.stop);
    else if ("stopNow" in order) this.#stopNow(order.stopNow);
    else if ("reopen" in order) this.#reopen();
    else if ("place" in order) this.places.answered(order);
    else if ("others" in order) this.others = order.others;
    else if (!this.#begin) this.#reload(order.texts);
    else {
      this.#begin(order.texts);
      this.#begin = undefined;
    }
  }

  texts(): Promise<Texts> {
    this.#wire.send({ asks: "texts" });
    return this.#texts;
  }

  onReload(callback: (texts: Texts) => void): void {
    this.#reload = callback;
    if (this.#newest) callback(this.#newest);
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
