/**
 * A line on a terminal that shows how far a transfer has come.
 *
 * @module
 */

import type { Clock } from "../../runtime/clock.ts";

/** Where and how it is drawn. */
export interface ProgressOptions {
  /** Writes to the terminal. */
  readonly write: (text: string) => void;
  readonly clock: Pick<Clock, "now">;
  /** How wide the terminal is, in columns. */
  readonly columns: () => number;
}

/** What is over sooner is not worth a line, in milliseconds. */
const PATIENCE = 1_000;

/** No more than ten lines a second, however many pieces arrive. */
const INTERVAL = 100;

/** The longest that a bar gets, in columns. */
const BAR = 30;

/** To the line's begin, and erase to its end (ECMA-48, EL). */
const ERASE = "\r\x1b[K";

/** Draws nothing until a transfer is known to take long. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #started: number;
  #drawn: number | undefined;

  /** The transfer begins now. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#started = options.clock.now();
  }

  /** So many bytes have come; `total` is how many there will be, where that is known. */
  update(size: number, total: number | undefined): void {
    const { write, clock, columns } = this.#options;
    const now = clock.now();
    if (now - this.#started < PATIENCE || (this.#drawn !== undefined && now - this.#drawn < INTERVAL)) return;
    this.#drawn = now;
    // A line as wide as the terminal would wrap, and not be erased whole.
    write(ERASE + formatProgress(size, total, { time: now - this.#started, columns: columns() - 1 }));
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#drawn !== undefined) this.#options.write(ERASE);
    this.#drawn = undefined;
  }
}

/** The line: a bar and the time that is left where the length is known, and what has come. */
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

/** Octets in a unit of powers of 1000. */
export function formatBytes(size: number): string {
  let unit = 0;
  // 999,950 would be rounded to 1000.0 kB.
  while (unit < UNITS.length - 1 && size >= (unit === 0 ? 1_000 : 999.95)) {
    size /= 1_000;
    unit++;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** Octets in so many milliseconds, a second. */
export function formatRate(size: number, time: number): string {
  return `${formatBytes(time > 0 ? size * 1_000 / time : 0)}/s`;
}
