/**
 * Starts a worker, as a process or as a thread.
 *
 * @module
 */

import cluster from "node:cluster";
import process from "node:process";
import { Worker } from "node:worker_threads";
import type { Sharing } from "../../runtime/contract.ts";
import type { Assignment, Order, Report } from "./messages.ts";
import { ASSIGNMENT_VARIABLE } from "../flags/variables.ts";

/** A running worker, as the process that started it sees it. */
export interface WorkerHandle {
  /** Its name in messages, such as `process 4711`. */
  readonly label: string;
  /** Sends an order. Does nothing if the worker has ended. */
  send(order: Order): void;
  /** Kills the worker at once. */
  kill(): void;
}

/** The callbacks for the events of a worker. */
export interface WorkerEvents {
  onReport(report: Report): void;
  /** Called once, with the exit code of the worker or the signal that killed it. */
  onExit(ending: number | string): void;
}

/** Starts a worker with the arguments of this process. */
export type StartWorker = (assignment: Assignment, events: WorkerEvents) => WorkerHandle;

/** Returns the function that starts workers on this runtime. */
export function workerStarter({ workers }: Sharing): StartWorker {
  return workers === "threads" ? startThread : startProcess;
}

function startProcess(assignment: Assignment, { onReport, onExit }: WorkerEvents): WorkerHandle {
  const worker = cluster.fork({ [ASSIGNMENT_VARIABLE]: JSON.stringify(assignment) });
  worker.on("message", onReport);
  worker.on("error", () => {});
  worker.on("exit", (code: number | null, signal: string | null) => onExit(signal ?? code ?? 1));
  return {
    label: `process ${worker.process.pid}`,
    send(order) {
      if (worker.isConnected()) worker.send(order);
    },
    kill: () => void worker.process.kill("SIGKILL"),
  };
}

function startThread(assignment: Assignment, { onReport, onExit }: WorkerEvents): WorkerHandle {
  const worker = new Worker(new URL("../../main.ts", import.meta.url), {
    argv: process.argv.slice(2),
    workerData: { assignment },
  });
  worker.on("message", onReport);
  worker.on("error", () => {});
  worker.on("exit", onExit);
  return {
    label: `thread ${worker.threadId}`,
    send: (order) => worker.postMessage(order),
    kill: () => void worker.terminate(),
  };
}
