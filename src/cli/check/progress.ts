/**
 * Draws a line on a terminal that shows the progress of a transfer.
 *
 * @module
 */

import type { Clock } from "../../runtime/clock.ts";

/** The terminal and the clock. */
export interface ProgressOptions {
  /** Writes to the terminal. */
  readonly write: (text: string) => void;
  readonly clock: Pick<Clock, "now">;
  /** How wide the terminal is, in columns. */
  readonly columns: () => number;
}

/** Transfers shorter than this get no line, in milliseconds. */
const PATIENCE = 1_000;

/** The least time between two drawings, in milliseconds: at most ten a second. */
const INTERVAL = 100;

/** The greatest width of the bar, in columns. */
const BAR = 30;

/** Moves to the start of the line, and erases to its end (ECMA-48, EL). */
const ERASE = "\r\x1b[K";

/** The progress line of one transfer. Nothing is drawn in the first second. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #started: number;
  #drawn: number | undefined;

  /** The transfer begins now. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#started = options.clock.now();
  }

  /** `size` bytes have come, of `total` if that is known. Redraws the line if it is time to. */
  update(size: number, total: number | undefined): void {
    const { write, clock, columns } = this.#options;
    const now = clock.now();
    if (now - this.#started < PATIENCE || (this.#drawn !== undefined && now - this.#drawn < INTERVAL)) return;
    this.#drawn = now;
    // One column stays free: a full line would wrap, and ERASE would then miss a part.
    write(ERASE + formatProgress(size, total, { time: now - this.#started, columns: columns() - 1 }));
  }

  /** Erases the line. */
  clear(): void {
    if (this.#drawn !== undefined) this.#options.write(ERASE);
    this.#drawn = undefined;
  }
}

/** The line: bytes and rate; if the length is known, also a bar and the time left. */
export function formatProgress(
  size: number,
  total: number | undefined,
  { time, columns }: { time: number; columns: number },
): string {
  const rate = formatRate(size, time);
  if (total === undefined) return `${formatBytes(size)}, ${rate}`.slice(0, columns);
  const part = total === 0 ? 1 : Math.min(size / total, 1);
  const left = Math.ceil((total - size) * time / size / 1_000);
  const percent = `${String(Math.floor(part * 100)).padStart(3)}%`;
  const text = `${percent}  ${formatBytes(size)} of ${formatBytes(total)}, ${rate}` +
    (Number.isFinite(left) && left >= 0 ? `, ${left} s left` : "");
  const width = Math.min(BAR, columns - text.length - 3);
  if (width < 5) return text.slice(0, columns);
  return `[${"#".repeat(Math.floor(part * width)).padEnd(width, ".")}] ${text}`;
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** Formats bytes with a unit, in powers of 1000. */
export function formatBytes(size: number): string {
  let unit = 0;
  // From 999.95 on, one decimal would round up to "1000.0".
  while (unit < UNITS.length - 1 && size >= (unit === 0 ? 1_000 : 999.95)) {
    size /= 1_000;
    unit++;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** Formats the rate of `size` bytes in `time` milliseconds, per second. */
export function formatRate(size: number, time: number): string {
  return `${formatBytes(time > 0 ? size * 1_000 / time : 0)}/s`;
}
