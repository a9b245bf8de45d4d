/**
 * What every command works with: where it writes, and how the process ends.
 *
 * @module
 */

import process from "node:process";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";
import { escapeMessage } from "../../observe/escape.ts";
import { LineWriter } from "../../observe/line_writer.ts";
import { LineLog } from "../../observe/log.ts";
import { closedOutput, descriptorOutput, type FileOutput, type OutputOptions } from "../../observe/output.ts";
import { UsageError } from "../../text/usage_error.ts";

const STDOUT = 1;
const STDERR = 2;

/** What the process ends with. */
export const EXIT_CODES = { done: 0, failed: 1, misused: 2, denied: 3 } as const;

/** How long the last lines of the logs get where nobody reads them. */
const FLUSH_TIMEOUT = 1_000;

/** Something that the system or a peer did not let the program do: the operator's matter, not a bug. */
export class FailedError extends Error {
  override readonly name = "FailedError";
}

/** What the program says of a listener that cannot be bound; other errors stay what they are. */
export function listenFailure(cause: unknown): unknown {
  const { code, message } = cause as { code?: unknown; message: string };
  if (typeof code !== "string") return cause;
  return new FailedError(`${message} (${code.replaceAll("_", " ")})`, { cause });
}

/** Standard output, standard error, diagnostics and the exit. */
export class Shell {
  /** Diagnostics, on standard error. */
  readonly log: LineLog;
  /** What is told once the command has begun well: behind an error it would only be in the way. */
  note: string | undefined;
  readonly #stderr: LineWriter;
  /** For what was asked for: the access log, or an answer. */
  #output: LineWriter | undefined;
  /** Undefined where records go to standard output, or nowhere. */
  #accessLog: FileOutput | undefined;

  /** Opens standard error; nothing else is touched until it is needed. */
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

  /** Tells the note, the first time; whatever the log's level, since a user who was not heard of is no detail. */
  tellNote(): void {
    const { note } = this;
    this.note = undefined;
    if (note !== undefined) new LineLog({ level: "info", write: (line) => this.tell(line) }).info(note);
  }

  /** Writes to standard output, or to where {@link Shell.openAccessLog} has opened it. */
  print(text: string): void {
    this.#output ??= new LineWriter(descriptorOutput(STDOUT));
    this.#output.write(text);
  }

  /**
   * Opens where records go: a file, or `-` for standard output. Where the file cannot be opened, that is a `UsageError`; or
   * it is only told where it is not required now, and SIGHUP is the next chance.
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
   * Opens the file of the access log anew, after somebody has renamed it, and settles with whether it did. Where that fails,
   * it says so and goes on as before.
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

  /** Tells what went wrong, and ends the process. */
  fail(error: unknown): void {
    if (error instanceof UsageError || error instanceof FailedError) {
      for (const line of error.message.split("\n")) this.tell(`sluice: ${escapeMessage(line)}`);
    } else {
      this.log.error("Unexpected error", error);
    }
    this.exit(error instanceof UsageError ? EXIT_CODES.misused : EXIT_CODES.failed);
  }

  /** Ends the process once everything is written, or nobody takes it. */
  exit(code: number): void {
    const tell = (): void => {
      SYSTEM_CLOCK.schedule(FLUSH_TIMEOUT, () => process.exit(code));
      this.#output?.abandon();
      this.#stderr.flush().then(() => process.exit(code));
    };
    // The access log first: what becomes of it is told on standard error.
    const cancel = SYSTEM_CLOCK.schedule(FLUSH_TIMEOUT, tell);
    Promise.resolve(this.#output?.flush()).then(() => {
      cancel();
      tell();
    });
  }
}
