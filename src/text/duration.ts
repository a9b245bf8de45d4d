/**
 * Durations as people write them.
 *
 * @module
 */

import { UsageError } from "./usage_error.ts";

/** Milliseconds per unit. */
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest time for a timer. With a longer time, the timer would fire at once. */
const MAX_DURATION = 2 ** 31 - 1;

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/;

/**
 * Reads a duration such as `500ms`, `10s`, `1.5m`, `1h` or `1d`. A number without a unit means seconds, as it
 * does to curl, wget and nginx.
 *
 * @returns The duration in whole milliseconds.
 * @throws {UsageError} If the text is not a duration, or the duration is longer than timers can measure (24 days).
 *
 * @example
 * ```ts
 * parseDuration("1.5s"); // 1500
 * ```
 */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (!match) {
    throw new UsageError(
      `Invalid duration "${text}": give a number and a unit, such as "500ms", "10s" or "5m"`,
    );
  }
  const [, amount, unit = "s"] = match;
  const duration = Math.round(Number(amount) * UNITS[unit]);
  if (duration > MAX_DURATION) throw new UsageError(`Invalid duration "${text}": the longest is "24d"`);
  return duration;
}

/** Writes milliseconds as a whole number of the largest possible unit. {@linkcode parseDuration} reads it back. */
export function formatDuration(duration: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, size]) => duration % size === 0) ?? ["ms", 1];
  return duration === 0 ? "0s" : `${duration / size}${unit}`;
}
