/**
 * `sluice serve --workers N`: the process that starts workers and passes signals on to them. It serves nothing itself.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import process from "node:process";
import { formatAddress } from "../../addresses/host.ts";
import { DEFAULT_ENDPOINT, parseEndpoint } from "../../listeners/endpoint.ts";
import { configure } from "../../proxy/configuration.ts";
import type { Address, Listener, Runtime, Sharing } from "../../runtime/contract.ts";
import type { LimitStore } from "../../limits/store.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import type { TextFiles } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import { StartError, WorkerPool } from "./worker_pool.ts";
import type { CommandLine, Options } from "../flags/options.ts";
import { readCertificates } from "../config/proxy_options.ts";
import { inTurn, tellListeners } from "../config/reload.ts";
import { EXIT_CODES, FailedError, listenFailure, type Shell } from "../program/shell.ts";
import { STOP_SIGNALS } from "../program/signals.ts";
import type { Assignment } from "./messages.ts";
import type { Control } from "../program/control.ts";
import { workerStarter } from "./worker_start.ts";

/** How many workers the options ask for. */
export function countWorkers({ workers }: Pick<Options, "workers">): number {
  return workers === "auto" ? availableParallelism() : workers;
}

/** The options of the proxy, and where they come from. */
export interface Loaded {
  readonly options: ProxyOptions;
  /** The command line, with what the config file has. */
  readonly line: CommandLine;
  /** The files that the options were read from. */
  readonly files: TextFiles;
}

/** What the workers serve, and how many there are. */
interface Work extends Loaded {
  readonly workers: number;
  /** Keeps the counts of limits for all workers. */
  readonly store: LimitStore;
  /** Reads the files again. Rejects if the proxy could not start with them. */
  readonly reread: () => Promise<Loaded>;
  /** Called with what a reload has put in force. */
  readonly use: (next: Loaded) => void;
}

/** Runs the workers until a signal asks to stop. Settles with the exit code. */
export async function serveByWorkers(
  { options, workers, files, line, reread, use, store }: Work,
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
  let drain = line.options["drain-timeout"];
  /** The endpoints, each with its port. */
  let bound: readonly Bound[] = [];
  const reload = inTurn(async () => {
    const next = await reread();
    const { settings: { privateDestinations } } = configure(next.options, name);
    await readCertificates(next.options, next.files.read);
    const before = bound.map(({ address }) => address);
    const places = await bindAnew(next.options, { before: bound, runtime });
    const addresses = places.map(({ address }) => address);
    await pool.reload({
      texts: next.files.texts,
      assign: (number) => ({
        workers,
        name,
        privateDestinations,
        ...placesOf(number, {
          options: next.options,
          addresses: sharing.by === "kernel" ? addresses : undefined,
        }),
      }),
      perClient: next.options.limits?.perClient ?? Infinity,
    });
    bound = places;
    drain = next.line.options["drain-timeout"];
    use(next);
    tellListeners(before, addresses, shell);
  }, shell.log);
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
    onReload: () => reload(),
    limitStore: store,
    log: shell.log,
  });
  process.on("exit", () => pool.kill());
  control.onReopen(() => {
    // This process has the log open too: without a reopen, a deleted file would keep its space on the disk.
    void shell.reopenAccessLog();
    pool.reopenLogs();
  });
  control.onReload(() => reload());
  try {
    const addresses = await pool.start();
    bound = askedBy(options).map((asked, i) => ({ ...asked, address: addresses[i] }));
    control.listening(addresses);
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

/** An endpoint that the options ask for, and its address as it is written there. */
interface Asked {
  readonly name: string;
  readonly admin: boolean;
  readonly written: Address;
}

/** The same with the address that it has got. */
interface Bound extends Asked {
  readonly address: Address;
}

function askedBy(options: ProxyOptions): Asked[] {
  const count = listOf(options).length;
  return endpointsOf(options).map((text, i) => {
    const { address } = parseEndpoint(text);
    return { written: address, name: formatAddress(address), admin: i >= count };
  });
}

/**
 * The addresses for new endpoints. An address that is bound already stays. Others are tried, so that a port that is taken
 * stops the reload before any worker changes; port 0 becomes a free one, the same for all workers.
 */
async function bindAnew(
  options: ProxyOptions,
  { before, runtime }: { readonly before: readonly Bound[]; readonly runtime: Runtime },
): Promise<Bound[]> {
  const left = [...before];
  const listeners: Listener[] = [];
  try {
    const places: Bound[] = [];
    for (const asked of askedBy(options)) {
      const { name, admin, written } = asked;
      const index = left.findIndex((old) =>
        formatAddress(old.address) === name || old.name === name && old.admin === admin
      );
      if (index >= 0) places.push({ ...asked, address: left.splice(index, 1)[0].address });
      else if ("path" in written) places.push({ ...asked, address: written });
      else {
        const listener = await runtime.listen({ address: written });
        listeners.push(listener);
        places.push({ ...asked, address: listener.address });
      }
    }
    return places;
  } catch (error) {
    throw listenFailure(error);
  } finally {
    await Promise.all(listeners.map((listener) => listener.close()));
  }
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
