/**
 * What every command uses to write its output and to end the process.
 *
 * @module
 */

import process from "node:process";
import { isatty } from "node:tty";
import type { Terminal } from "../../observe/access_log.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";
import { escapeMessage } from "../../observe/escape.ts";
import { LineWriter } from "../../observe/line_writer.ts";
import { LineLog } from "../../observe/log.ts";
import { closedOutput, descriptorOutput, type FileOutput, type OutputOptions } from "../../observe/output.ts";
import { UsageError } from "../../text/usage_error.ts";

const STDOUT = 1;
const STDERR = 2;

/** The exit codes of the process. */
export const EXIT_CODES = { done: 0, failed: 1, misused: 2, denied: 3 } as const;

/** How long the process waits for its last lines to be written before it ends, in milliseconds. */
const FLUSH_TIMEOUT = 1_000;

/** The system or a peer did not let the program do something. This is for the operator to solve; it is not a bug. */
export class FailedError extends Error {
  override readonly name = "FailedError";
}

/** The `FailedError` for a listener that cannot be bound. Other errors are returned as they are. */
export function listenFailure(cause: unknown): unknown {
  const { code, message } = cause as { code?: unknown; message: string };
  if (typeof code !== "string") return cause;
  return new FailedError(`${message} (${code.replaceAll("_", " ")})`, { cause });
}

/** Standard output, standard error, diagnostics and the exit. */
export class Shell {
  /** Diagnostics, on standard error. */
  readonly log: LineLog;
  /** A line to print once the command has begun well. It is not printed before an error, where it would distract. */
  note: string | undefined;
  readonly #stderr: LineWriter;
  /** Writes what the user asked for: the access log, or an answer. */
  #output: LineWriter | undefined;
  /** Undefined if records go to standard output, or nowhere. */
  #accessLog: FileOutput | undefined;

  /** Opens standard error. Standard output is opened at the first use. */
  constructor() {
    this.#stderr = new LineWriter(descriptorOutput(STDERR), {
      onDropped: (count) => this.tell(`${count} lines are missing here: they were not read in time`),
    });
    this.log = new LineLog({ level: "info", write: (line) => this.tell(line) });
  }

  /** Writes a line to standard error. */
  tell(line: string): void {
    this.#stderr.write(line);
  }

  /** How to write to standard output if it is a terminal. Undefined: it is not. NO_COLOR: see https://no-color.org. */
  terminal(runtime: Pick<Runtime, "environment">): Terminal | undefined {
    if (!isatty(STDOUT)) return undefined;
    return { color: !runtime.environment("NO_COLOR") && runtime.environment("TERM") !== "dumb" };
  }

  /** Prints the note once, at any level of the log: it says that variables the user may have set are not read. */
  tellNote(): void {
    const { note } = this;
    this.note = undefined;
    if (note !== undefined) new LineLog({ level: "info", write: (line) => this.tell(line) }).info(note);
  }

  /** Writes to standard output, or to the file that {@link Shell.openAccessLog} has opened. */
  print(text: string): void {
    this.#output ??= new LineWriter(descriptorOutput(STDOUT));
    this.#output.write(text);
  }

  /**
   * Opens the output for records: a file, or `-` for standard output. If the file cannot be opened, it rejects with a
   * `UsageError`. If the file is not `required`, it only logs the error; SIGUSR1 or SIGHUP
   * tries again.
   */
  async openAccessLog(file: string, { required }: { readonly required: boolean }): Promise<void> {
    const options: OutputOptions = {
      onTrouble: (error) => this.log.error("The access log cannot be written for now", error),
    };
    if (file !== "-") this.#accessLog = closedOutput(file, options);
    try {
      await this.#accessLog?.reopen();
    } catch (cause) {
      const message = `Cannot open the access log "${file}": ${(cause as Error).message}`;
      if (required) throw new UsageError(message, { cause });
      this.log.error(message);
    }
    this.#output = new LineWriter(this.#accessLog ?? descriptorOutput(STDOUT, options), {
      onDropped: (count) =>
        this.log.warn(
          `${count} records are missing from the access log, which takes them too slowly or not at all`,
        ),
      onClosed: (error) => this.log.warn("The access log ends here: it takes no more", error),
    });
  }

  /**
   * Reopens the file of the access log, for example after logrotate has renamed it. Settles with true if it did. If it
   * fails, it logs the error and goes on writing to the old file.
   */
  async reopenAccessLog(): Promise<boolean> {
    if (!this.#accessLog) return false;
    try {
      await this.#accessLog.reopen();
      this.#output?.resume();
      return true;
    } catch (error) {
      this.log.error("The access log cannot be opened anew: records go on to where they went", error);
      return false;
    }
  }

  /** Prints what went wrong, and ends the process. */
  fail(error: unknown): void {
    if (error instanceof UsageError || error instanceof FailedError) {
      for (const line of error.message.split("\n")) this.tell(`sluice: ${escapeMessage(line)}`);
    } else {
      this.log.error("Unexpected error", error);
    }
    this.exit(error instanceof UsageError ? EXIT_CODES.misused : EXIT_CODES.failed);
  }

  /** Ends the process once everything is written. It waits FLUSH_TIMEOUT for the access log, then as long for stderr. */
  exit(code: number): void {
    const tell = (): void => {
      SYSTEM_CLOCK.schedule(FLUSH_TIMEOUT, () => process.exit(code));
      this.#output?.abandon();
      this.#stderr.flush().then(() => process.exit(code));
    };
    // The access log first, since its errors go to standard error.
    const cancel = SYSTEM_CLOCK.schedule(FLUSH_TIMEOUT, tell);
    Promise.resolve(this.#output?.flush()).then(() => {
      cancel();
      tell();
    });
  }
}
