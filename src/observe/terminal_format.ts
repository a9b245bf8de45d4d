/**
 * The access log for people who look at it while it grows: what matters, in one line of a terminal.
 *
 * @module
 */

import { escapeMessage, escapeWord } from "./escape.ts";
import { clientIp, httpStatus, wordOf } from "./log_values.ts";
import type { AccessRecord } from "./record.ts";

/** The colours of the first digit of a status (ECMA-48): green, cyan, yellow, red. */
const COLORS: Readonly<Record<string, number>> = { 2: 32, 3: 36, 4: 33, 5: 31 };

const DIM = 2;

/**
 * A short line: time of day, status, method and target, bytes, duration, and then what is unusual: whose it is, which
 * upstream it took, what went wrong.
 *
 * @example
 * ```text
 * 12:00:00 200 CONNECT example.com:443  4.0k down 517 up  153 ms  ann@192.0.2.1
 * ```
 */
export function formatForTerminal(record: AccessRecord, { color }: { readonly color: boolean }): string {
  const paint = (code: number | undefined, text: string): string =>
    color && code !== undefined && text !== "" ? `\x1B[${code}m${text}\x1B[0m` : text;
  const status = String(httpStatus(record));
  const { fault, reason, ending, time } = record;
  const wrong = fault === undefined ? "" : escapeMessage(`${fault}: ${reason ?? ending}`);
  const details = [amounts(record), formatTime(record.duration), whose(record), via(record)];
  return [
    `${paint(DIM, clockTime(time))} ${paint(COLORS[status[0]], status)} ${wordOf("method", record)} ${
      wordOf("target", record)
    }`,
    paint(DIM, details.filter((text) => text !== "").join("  ")),
    paint(COLORS[5], wrong),
  ].filter((text) => text !== "").join("  ");
}

/** The time of day here. Whoever looks at a terminal has a clock beside it. */
function clockTime(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => `${part}`.padStart(2, "0"))
    .join(":");
}

function amounts({ sent, received }: AccessRecord): string {
  const parts = [
    received > 0 ? `${formatBytes(received)} down` : "",
    sent > 0 ? `${formatBytes(sent)} up` : "",
  ];
  return parts.filter((text) => text !== "").join(" ");
}

/** The user and the address, where that is not just a program of this machine. */
function whose(record: AccessRecord): string {
  const { user, triedUser } = record;
  const ip = clientIp(record);
  const who = user !== undefined
    ? wordOf("user", record)
    : triedUser !== undefined
    ? `login failed as ${wordOf("triedUser", record)}`
    : "";
  if (ip === "127.0.0.1" || ip === "::1") return who;
  return who === "" ? ip : `${who}@${ip}`;
}

function via({ route }: AccessRecord): string {
  return route === undefined || route === "direct" ? "" : `via ${escapeWord(route)}`;
}

/** Bytes in a few characters: `517`, `4.0k`, `12M`. */
function formatBytes(count: number): string {
  let [amount, unit] = [count, 0];
  for (; amount >= 1_000 && unit < UNITS.length - 1; unit++) amount /= 1_024;
  return unit > 0 && amount < 10
    ? `${amount.toFixed(1)}${UNITS[unit]}`
    : `${Math.round(amount)}${UNITS[unit]}`;
}

const UNITS = ["", "k", "M", "G", "T"];

/** A duration in a few characters: `153 ms`, `1.2 s`, `3m05s`. */
function formatTime(duration: number): string {
  if (duration < 1_000) return `${Math.round(duration)} ms`;
  if (duration < 60_000) return `${(duration / 1_000).toFixed(1)} s`;
  const [minutes, seconds] = [Math.floor(duration / 60_000), Math.round(duration % 60_000 / 1_000)];
  return `${minutes}m${`${seconds}`.padStart(2, "0")}s`;
}
