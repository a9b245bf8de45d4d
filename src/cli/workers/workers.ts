/**
 * `sluice serve --workers N`: the process that starts workers and passes signals on to them. It serves nothing itself.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import process from "node:process";
import { DEFAULT_ENDPOINT, parseEndpoint } from "../../listeners/endpoint.ts";
import { configure } from "../../proxy/configuration.ts";
import type { Address, Listener, Runtime, Sharing } from "../../runtime/contract.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import type { TextFiles } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import { StartError, WorkerPool } from "./worker_pool.ts";
import type { Options } from "../flags/options.ts";
import { readCertificates } from "../config/proxy_options.ts";
import { onReload } from "../config/reload.ts";
import { EXIT_CODES, FailedError, listenFailure, type Shell } from "../program/shell.ts";
import { STOP_SIGNALS } from "../program/signals.ts";
import type { Assignment } from "./worker.ts";
import type { Control } from "../program/control.ts";
import { workerStarter } from "./worker_start.ts";

/** How many workers the options ask for. */
export function countWorkers({ workers }: Pick<Options, "workers">): number {
  return workers === "auto" ? availableParallelism() : workers;
}

/** What the workers serve, and how many there are. */
interface Work {
  readonly options: ProxyOptions;
  readonly workers: number;
  /** How long transfers may take to finish after the signal to stop, in milliseconds. */
  readonly drain: number;
  /** The files that the options were read from. */
  readonly files: TextFiles;
  /** Reads the files again. Rejects if the proxy could not start with them. */
  readonly reread: () => Promise<Pick<Work, "options" | "files">>;
}

/** Runs the workers until a signal asks to stop. Settles with the exit code. */
export async function serveByWorkers(
  { options, workers, drain, files, reread }: Work,
  { control, shell, runtime }: {
    readonly control: Control;
    readonly shell: Shell;
    readonly runtime: Runtime;
  },
): Promise<number> {
  const sharing = checkSharing({ options, workers }, runtime);
  const { settings: { name, privateDestinations } } = configure(options);
  await checkPorts(endpointsOf(options), runtime);
  await readCertificates(options, files.read);
  const pool = new WorkerPool({
    workers,
    start: workerStarter(sharing),
    assign: (number, addresses) => ({
      workers,
      name,
      privateDestinations,
      ...placesOf(number, { options, addresses: sharing.by === "kernel" ? addresses : undefined }),
    }),
    texts: files.texts,
    perClient: options.limits?.perClient ?? Infinity,
    log: shell.log,
  });
  process.on("exit", () => pool.kill());
  control.onReopen(() => {
    // This process has the log open too: without a reopen, a deleted file would keep its space on the disk.
    void shell.reopenAccessLog();
    pool.reopenLogs();
  });
  onReload(control, async () => {
    const next = await reread();
    configure(next.options);
    await readCertificates(next.options, next.files.read);
    pool.reload(next.files.texts);
  }, shell.log);
  try {
    control.listening(await pool.start());
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    if (typeof error.ending === "number" && error.ending > 0) {
      // The worker has printed the reason. The note would only distract from it.
      shell.note = undefined;
      return error.ending;
    }
    throw new FailedError(error.message, { cause: error });
  }
  const signal = await control.stop;
  let cut: number | undefined;
  control.stopNow.then((signal) => {
    cut = STOP_SIGNALS[signal];
    pool.stopNow(signal);
  });
  const well = await pool.stop(signal, drain);
  return cut ?? (well ? EXIT_CODES.done : EXIT_CODES.failed);
}

function checkSharing({ options, workers }: Pick<Work, "options" | "workers">, runtime: Runtime): Sharing {
  const cannot = `Cannot run ${workers} workers`;
  if (listOf(options).every(isUnix)) {
    throw new UsageError(`${cannot} on Unix sockets alone: leave --workers out, or listen on TCP too`);
  }
  const { connections = workers } = options.limits ?? {};
  if (connections < workers) {
    throw new UsageError(`${cannot} with --max-connections ${connections}: each needs one at least`);
  }
  try {
    if (runtime.sharing) return runtime.sharing();
  } catch (cause) {
    throw new UsageError(`${cannot}: ${(cause as Error).message}`, { cause });
  }
  throw new UsageError(`${cannot} on ${runtime.name}: leave --workers out`);
}

/**
 * Throws if a port is taken. Workers would not notice: they would share it with the program that has it, since the
 * kernel lets all processes of one user share a port if they ask to.
 */
async function checkPorts(endpoints: readonly string[], runtime: Runtime): Promise<void> {
  const listeners: Listener[] = [];
  try {
    for (const { address } of endpoints.map(parseEndpoint)) {
      if ("port" in address && address.port !== 0) listeners.push(await runtime.listen({ address }));
    }
  } catch (error) {
    throw listenFailure(error);
  } finally {
    await Promise.all(listeners.map((listener) => listener.close()));
  }
}

/** Where a worker listens. Only the first has Unix sockets. Ports of `addresses`, from the first, replace port 0. */
function placesOf(
  number: number,
  { options, addresses }: { readonly options: ProxyOptions; readonly addresses?: readonly Address[] },
): Pick<Assignment, "listen" | "admin"> {
  const count = listOf(options).length;
  const bound = endpointsOf(options).map((text, i) => withPort(text, addresses?.[i]));
  const own = (text: string): boolean => number === 1 || !isUnix(text);
  return { listen: bound.slice(0, count).filter(own), admin: bound.slice(count).find(own) };
}

/** The endpoint, with port 0 replaced by the port that the system chose. */
function withPort(text: string, bound: Address | undefined): string {
  const { address } = parseEndpoint(text);
  if (!bound || "path" in bound || "path" in address || address.port !== 0) return text;
  return text.replace(/^([^?]*?:)?0+(?=\/?(?:\?|$))/, (_, before = "") => `${before}${bound.port}`);
}

function listOf({ listen = DEFAULT_ENDPOINT }: ProxyOptions): readonly string[] {
  return [listen].flat();
}

/** The listeners, then the listener of the proxy's own pages: the same order as the proxy's addresses. */
function endpointsOf(options: ProxyOptions): readonly string[] {
  return [...listOf(options), options.admin ?? []].flat();
}

function isUnix(text: string): boolean {
  return "path" in parseEndpoint(text).address;
}
