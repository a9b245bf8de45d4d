/**
 * The program: options, a proxy, signals, exit codes.
 *
 * @module
 */

import process from "node:process";
import { SYSTEM_CLOCK } from "../clock.ts";
import { detectRuntime } from "../detect_runtime.ts";
import { formatDuration } from "../duration.ts";
import { formatAddress } from "../endpoint.ts";
import { formatRecord } from "../observe/access_log.ts";
import { escapeMessage } from "../observe/escape.ts";
import { LineWriter } from "../observe/line_writer.ts";
import { LineLog } from "../observe/log.ts";
import { descriptorOutput, openOutput, type OutputOptions } from "../observe/output.ts";
import { Users } from "../policy/users.ts";
import type { Runtime } from "../runtime.ts";
import { createProxy, type Proxy } from "../server.ts";
import type { Authenticate } from "../services.ts";
import { UsageError } from "../usage_error.ts";
import { VERSION } from "../version.ts";
import { formatHelp } from "./help.ts";
import { type Options, parseOptions } from "./options.ts";
import { stopSignal } from "./signals.ts";

const STDOUT = 1;
const STDERR = 2;

/** What the process ends with. */
const EXIT_CODES = { done: 0, failed: 1, misused: 2 } as const;

/** How long the last lines of the logs get where nobody reads them. */
const FLUSH_TIMEOUT = 1_000;

/** Runs the program with the process's arguments, and ends the process. */
export function main(): void {
  new Program().start(process.argv.slice(2));
}

/** The system did not let the proxy listen: the operator's matter, not a bug. */
class ListenError extends Error {
  override readonly name = "ListenError";
}

class Program {
  readonly #stderr: LineWriter;
  readonly #log: LineLog;
  /** For what was asked for: the access log, or the help. */
  #output: LineWriter | undefined;

  constructor() {
    this.#stderr = new LineWriter(descriptorOutput(STDERR), {
      onDropped: (count) => this.#stderr.write(`${count} lines are missing here: they were not read in time`),
    });
    this.#log = new LineLog({ level: "info", write: (line) => this.#stderr.write(line) });
  }

  start(args: readonly string[]): void {
    process.on("uncaughtException", (error) => this.#fail(error));
    process.on("unhandledRejection", (error) => this.#fail(error));
    this.#run(args).then(() => this.#exit(EXIT_CODES.done), (error) => this.#fail(error));
  }

  async #run(args: readonly string[]): Promise<void> {
    const runtime = await detectRuntime();
    const options = parseOptions(args, (name) => runtime.environment(name));
    if (options.help) return this.#print(formatHelp());
    if (options.version) return this.#print(`sluice ${VERSION}`);
    this.#log.level = options["log-level"];
    const stop = stopSignal();
    await this.#openAccessLog(options["access-log"]);
    const proxy = await this.#listen(options, runtime);
    for (const address of proxy.addresses) this.#stderr.write(`listening on ${formatAddress(address)}`);
    const signal = await stop;
    const drain = options["drain-timeout"];
    this.#log.info(
      `Stopping at ${signal}: open connections (${proxy.connections}) have ${
        formatDuration(drain)
      } to finish`,
    );
    await proxy.close({ drain });
  }

  #print(text: string): void {
    this.#output = new LineWriter(descriptorOutput(STDOUT));
    this.#output.write(text);
  }

  async #openAccessLog(file: string): Promise<void> {
    if (file === "off") return;
    const options: OutputOptions = {
      onTrouble: (error) => this.#log.error("The access log cannot be written for now", error),
    };
    const output = file === "-" ? descriptorOutput(STDOUT, options) : await openFile(file, options);
    this.#output = new LineWriter(output, {
      onDropped: (count) =>
        this.#log.warn(`${count} records are missing from the access log: it takes them too slowly`),
      onClosed: (error) => this.#log.warn("The access log ends here: nobody reads it", error),
    });
  }

  async #listen(options: Options, runtime: Runtime): Promise<Proxy> {
    try {
      return await createProxy({
        listen: options.listen,
        allowOpen: options["allow-open"],
        authenticate: authenticator(options.user),
        name: options.name,
        timeouts: {
          connect: options["connect-timeout"],
          header: options["header-timeout"],
          idle: options["idle-timeout"],
          drain: options["drain-timeout"],
        },
        limits: {
          connections: options["max-connections"],
          headerSize: options["max-header-size"],
          bodySize: options["max-body-size"] ?? Infinity,
        },
        forwarded: options.forwarded,
        privateDestinations: privateDestinations(options),
        onRecord: (record) => this.#output?.write(formatRecord(record, options["log-format"])),
        log: this.#log,
        runtime,
      });
    } catch (cause) {
      const { code, message } = cause as { code?: unknown; message: string };
      if (typeof code !== "string") throw cause;
      throw new ListenError(`${message} (${code.replaceAll("_", " ")})`, { cause });
    }
  }

  #fail(error: unknown): void {
    if (error instanceof UsageError || error instanceof ListenError) {
      this.#stderr.write(`sluice: ${escapeMessage(error.message)}`);
    } else {
      this.#log.error("Unexpected error", error);
    }
    this.#exit(error instanceof UsageError ? EXIT_CODES.misused : EXIT_CODES.failed);
  }

  /** Ends the process once the logs are written, or nobody takes them. */
  #exit(code: number): void {
    SYSTEM_CLOCK.schedule(FLUSH_TIMEOUT, () => process.exit(code));
    // The access log first: what becomes of it may be told on standard error.
    Promise.resolve(this.#output?.flush()).then(() => this.#stderr.flush()).then(() => process.exit(code));
  }
}

/** Undefined where no users are given: everybody may use the proxy. */
function authenticator(entries: readonly string[]): Authenticate | undefined {
  if (entries.length === 0) return undefined;
  const users = new Users(entries);
  return (request) => users.verify(request);
}

/** Undefined: as the listeners have it. */
function privateDestinations(options: Options): "allow" | "deny" | undefined {
  const { "allow-private": allow, "deny-private": deny } = options;
  if (allow && deny) {
    throw new UsageError("Cannot use --allow-private and --deny-private together: choose one");
  }
  if (allow) return "allow";
  return deny ? "deny" : undefined;
}

async function openFile(path: string, options: OutputOptions): ReturnType<typeof openOutput> {
  try {
    return await openOutput(path, options);
  } catch (cause) {
    throw new UsageError(`Cannot open the access log "${path}": ${(cause as Error).message}`, { cause });
  }
}
