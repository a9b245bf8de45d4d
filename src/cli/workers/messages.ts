/**
 * The messages between a worker and the process that started it. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Ask, Grant } from "../../limits/store.ts";
import type { LiveConnection, Selection } from "../../observe/live.ts";
import type { Totals } from "../../observe/metrics.ts";
import type { RecentView } from "../../observe/recent.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import type { Address } from "../../runtime/contract.ts";
import type { Texts } from "../../text/text_file.ts";
import type { StopSignal } from "../program/signals.ts";

/**
 * Options that a worker gets at its start; they override its flags. `privateDestinations` depends on all listeners, and
 * not every worker has all of them. All workers have the same `name`: otherwise the proxy would not notice a request
 * that loops through two of them.
 */
export type Assignment = Pick<ProxyOptions, "listen" | "admin" | "workers" | "name" | "privateDestinations">;

/** What a worker is made from. */
export interface Configured {
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
   * The texts of all files, already checked, and the assignment that fits them. The first ones answer the worker's
   * question, and later ones replace them. They include secrets, so they are sent only over this wire, where no other
   * program sees them.
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
