/**
 * Writes lines to a file, pipe or terminal that may be slower than the program.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../runtime/clock.ts";
import { MAX_WRITE, type Output } from "./output.ts";

/** How a {@link LineWriter} writes. */
export interface LineWriterOptions {
  /** The most characters that may wait. A line that does not fit is dropped. */
  readonly capacity?: number;
  /**
   * Told how many lines were dropped. It is called after a write; while lines still wait, at most once a second. When
   * the output has ended, every line is dropped; then it is called at most once a minute, and at a flush.
   */
  readonly onDropped?: (count: number) => void;
  /** Told once why the output takes no more lines. */
  readonly onClosed?: (error: unknown) => void;
  readonly clock?: Pick<Clock, "now">;
}

/** Some 8,000 records of the access log. */
const DEFAULT_CAPACITY = 1024 * 1024;

const REPORT_INTERVAL = 1_000;

/** The same after the output has ended. */
const CLOSED_REPORT_INTERVAL = 60_000;

/**
 * Writes lines, and never makes the caller wait: a bounded queue takes them. Lines that come during a write go out in
 * the next write, as many whole lines as fit.
 */
export class LineWriter {
  readonly #output: Output;
  readonly #options: LineWriterOptions;
  readonly #clock: Pick<Clock, "now">;
  readonly #encoder = new TextEncoder();
  /** Undefined once the output is closed. */
  #lines: string[] | undefined = [];
  #waiting = 0;
  /** Lines in the write that is under way. */
  #under = 0;
  #dropped = 0;
  #reported = -Infinity;
  #writing: Promise<void> | undefined;

  /** Writes nothing yet. */
  constructor(output: Output, options: LineWriterOptions = {}) {
    this.#output = output;
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  /** Takes one line (or several) without the last newline, or drops it. */
  write(line: string): void {
    if (!this.#lines) {
      this.#dropped++;
      return this.#report(CLOSED_REPORT_INTERVAL);
    }
    const { capacity = DEFAULT_CAPACITY } = this.#options;
    if (this.#waiting + line.length >= capacity) {
      this.#dropped++;
      return;
    }
    this.#lines.push(`${line}\n`);
    this.#waiting += line.length + 1;
    this.#writing ??= this.#run();
  }

  /** Settles when all lines taken so far are written, or can never be written. It never rejects. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    if (!this.#lines) this.#report(0);
  }

  /** Takes lines again after the output has ended. */
  resume(): void {
    this.#lines ??= [];
  }

  /** Reports the lines that still wait as dropped: the program will not wait for them. */
  abandon(): void {
    this.#dropped += (this.#lines?.length ?? 0) + this.#under;
    this.#lines = undefined;
    this.#report(0);
  }

  async #run(): Promise<void> {
    // Lines that the caller writes right after this one go into the same write.
    await Promise.resolve();
    try {
      while (this.#lines?.length) {
        await this.#writeSome(this.#lines);
        this.#report(this.#waiting > 0 ? REPORT_INTERVAL : 0);
      }
    } catch (error) {
      if (!this.#lines) return;
      this.#dropped += this.#lines.length + this.#under;
      this.#lines = undefined;
      this.#waiting = 0;
      this.#under = 0;
      this.#reported = this.#clock.now();
      this.#options.onClosed?.(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeSome(lines: string[]): Promise<void> {
    let count = 1;
    for (let size = lines[0].length; count < lines.length; count++) {
      size += lines[count].length;
      if (size > MAX_WRITE) break;
    }
    const text = lines.splice(0, count).join("");
    this.#under = count;
    await this.#output.write(this.#encoder.encode(text));
    this.#under = 0;
    this.#waiting -= text.length;
  }

  #report(interval: number): void {
    const now = this.#clock.now();
    if (this.#dropped === 0 || now - this.#reported < interval) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#reported = now;
    this.#options.onDropped?.(dropped);
  }
}
