/**
 * The windows of quotas: days, ISO weeks and months, in UTC.
 *
 * @module
 */

import type { CalendarUnit } from "../policy/limit_amount.ts";

const DAY = 86_400_000;

/** When the window around a time began, in milliseconds since 1970. */
export function windowStart(unit: CalendarUnit, time: number): number {
  const day = Math.floor(time / DAY) * DAY;
  if (unit === "day") return day;
  const date = new Date(day);
  // Sunday is day 0 of JavaScript, and the last day of an ISO week.
  if (unit === "week") return day - (date.getUTCDay() + 6) % 7 * DAY;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

/** When it ends. */
export function windowEnd(unit: CalendarUnit, time: number): number {
  const start = windowStart(unit, time);
  if (unit === "day") return start + DAY;
  if (unit === "week") return start + 7 * DAY;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
