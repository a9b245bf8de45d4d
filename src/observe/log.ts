/**
 * Diagnostics: what the operator should know besides the access log.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../runtime/clock.ts";
import { escapeMessage, shorten } from "./escape.ts";
import { MAX_WRITE } from "./output.ts";

/** The levels, the gravest first. */
export const LEVELS = ["error", "warn", "info", "debug"] as const;

/** How grave a message is; a log set to a level also takes the graver ones. */
export type Level = typeof LEVELS[number];

/** Takes diagnostics, as `console` can. `cause` is the error behind the message, if there is one. */
export interface Log {
  /** Something failed that should not have. */
  error(message: string, cause?: unknown): void;
  /** Something is wrong, but the proxy goes on. */
  warn(message: string, cause?: unknown): void;
  /** What the proxy as a whole does: starts, stops. */
  info(message: string, cause?: unknown): void;
  /** What each connection does. */
  debug(message: string, cause?: unknown): void;
}

/** How a {@link LineLog} logs. */
export interface LineLogOptions {
  /** See {@linkcode LineLog.level}. */
  readonly level: Level;
  /** Takes one line, without its newline. */
  readonly write: (line: string) => void;
  readonly clock?: Pick<Clock, "date">;
}

/** The most bytes after time and level, so that a pipe takes the whole line at once. */
const MAX_MESSAGE = MAX_WRITE - 64;

/** How many causes are followed. Their chain could be a circle. */
const MAX_CAUSES = 8;

/**
 * Writes one line per message: time, level, message, and the text of the cause unless the message contains it. Stack
 * traces are written only at level `debug`. Each of their lines is a line of the log.
 */
export class LineLog implements Log {
  /** The least grave level that is written. */
  level: Level;
  readonly #options: LineLogOptions;

  /** Writes nothing yet. */
  constructor(options: LineLogOptions) {
    this.level = options.level;
    this.#options = options;
  }

  error(message: string, cause?: unknown): void {
    this.#write("error", { message, cause });
  }

  warn(message: string, cause?: unknown): void {
    this.#write("warn", { message, cause });
  }

  info(message: string, cause?: unknown): void {
    this.#write("info", { message, cause });
  }

  debug(message: string, cause?: unknown): void {
    this.#write("debug", { message, cause });
  }

  #write(level: Level, { message, cause }: { message: string; cause: unknown }): void {
    if (!this.#takes(level)) return;
    const why = cause === undefined ? "" : describe(cause);
    this.#line(level, why === "" || message.includes(why) ? message : `${message}: ${why}`);
    if (!this.#takes("debug")) return;
    for (const line of traces(cause)) this.#line("debug", line);
  }

  #takes(level: Level): boolean {
    return LEVELS.indexOf(level) <= LEVELS.indexOf(this.level);
  }

  #line(level: Level, text: string): void {
    const { clock = SYSTEM_CLOCK, write } = this.#options;
    write(`${clock.date().toISOString()} ${level.padEnd(5)} ${escapeMessage(shorten(text, MAX_MESSAGE))}`);
  }
}

/** Takes everything and writes nothing. */
export const SILENT_LOG: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };

function ignore(): void {}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

function traces(cause: unknown): string[] {
  const lines: string[] = [];
  let error = cause;
  for (let depth = 0; error instanceof Error && depth < MAX_CAUSES; depth++) {
    lines.push(...(error.stack ?? String(error)).split("\n").map((line) => `  ${line}`));
    error = error.cause;
  }
  return lines;
}
