/**
 * How much a limit allows, as people write it: `10MB/s up per user`.
 *
 * @module
 */

import { suggest } from "../text/suggestion.ts";
import { UsageError } from "../text/usage_error.ts";

/** A window of the calendar, in UTC. A week begins on Monday (ISO 8601). */
export type CalendarUnit = "day" | "week" | "month";

/** What a limit allows. */
export type Allowance =
  /** So many requests at once. */
  | { readonly kind: "connections"; readonly most: number }
  /** So many requests at once, and they come back evenly over a time in milliseconds. */
  | { readonly kind: "rate"; readonly most: number; readonly time: number }
  /** So many bytes a second, each way. */
  | { readonly kind: "bandwidth"; readonly most: number }
  /** So many requests or bytes in a window of the calendar. */
  | {
    readonly kind: "quota";
    readonly of: "requests" | "bytes";
    readonly most: number;
    readonly unit: CalendarUnit;
  };

/** One way of the bytes, seen from the client. */
export type Way = "up" | "down";

/** Who has a count of their own. */
export type Counted = "user" | "client" | "target";

/** The part of a limit behind its `to`. */
export interface LimitTerms {
  readonly allowance: Allowance;
  /** Only the bytes of this way count. Undefined: both ways, each by itself for bandwidth, and together for a quota. */
  readonly way: Way | undefined;
  /** Undefined: all requests that match share one count. */
  readonly per: Counted | undefined;
  /** Whether it only tells what it would refuse. */
  readonly shadow: boolean;
  /** The terms in one line. */
  readonly text: string;
}

const COUNTED: readonly Counted[] = ["user", "client", "target"];

const UNITS = ["s", "second", "minute", "hour", "day", "week", "month"] as const;

/** Milliseconds in the units of rates. */
const RATE_TIMES: Readonly<Record<string, number>> = {
  s: 1_000,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
};

/** Bytes in a unit: those with an i and the bare letters are powers of 1024, as those of other sizes here. */
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  k: 2 ** 10,
  kib: 2 ** 10,
  m: 2 ** 20,
  mib: 2 ** 20,
  g: 2 ** 30,
  gib: 2 ** 30,
  t: 2 ** 40,
  tib: 2 ** 40,
  kbit: 1e3 / 8,
  mbit: 1e6 / 8,
  gbit: 1e9 / 8,
};

const EXAMPLE = 'write "10MB/s", "50 requests/s", "1GB/day" or "20 connections"';

/**
 * Reads what follows the `to` of a limit.
 *
 * @throws {UsageError} If it is invalid.
 */
export function parseTerms(text: string): LimitTerms {
  const words = text.trim().split(/\s+/).filter((word) => word !== "");
  const allowance = takeAllowance(words);
  let way: Way | undefined;
  let per: Counted | undefined;
  let shadow = false;
  const amount = text.trim().split(/\s+/).slice(0, -words.length || undefined);
  while (words.length > 0) {
    const word = words.shift()!;
    if ((word === "up" || word === "down") && way === undefined) way = word;
    else if (word === "shadow" && !shadow) shadow = true;
    else if (word === "per" && per === undefined) per = takeCounted(words);
    else throw new UsageError(unexpected(word));
  }
  if (way !== undefined && !countsBytes(allowance)) {
    throw new UsageError(`"${way}" is about bytes, and this limit counts ${unitOf(allowance)}; leave it out`);
  }
  const rest = [way, per && `per ${per}`, shadow && "shadow"].filter((word) => word);
  return { allowance, way, per, shadow, text: [...amount, ...rest].join(" ") };
}

/** Whether bytes use it up. */
export function countsBytes(allowance: Allowance): boolean {
  return allowance.kind === "bandwidth" || (allowance.kind === "quota" && allowance.of === "bytes");
}

function unitOf({ kind }: Allowance): string {
  return kind === "connections" ? "connections" : "requests";
}

function unexpected(word: string): string {
  const known = ["up", "down", "per", "shadow"];
  const meant = suggest(word, known);
  if (known.includes(word)) return `"${word}" stands twice, or with its opposite; leave one out`;
  return `"${word}" is unknown; ${
    meant ? `did you mean "${meant}"?` : `"up", "down", "per" and "shadow" may follow`
  }`;
}

function takeCounted(words: string[]): Counted {
  const word = words.shift();
  const counted = COUNTED.find((counted) => counted === word);
  if (counted) return counted;
  throw new UsageError(`behind "per" comes "user", "client" or "target"${word ? `, and not "${word}"` : ""}`);
}

/** Reads the amount, and takes its words away. */
function takeAllowance(words: string[]): Allowance {
  const first = words.shift();
  if (first === undefined) throw new UsageError(`how much is missing; ${EXAMPLE}`);
  if (/^\d+$/.test(first) && /^(?:connections?|requests?)(?:\/|$)/.test(words[0] ?? "")) {
    return countedBy(first, words.shift()!);
  }
  return bytesOf(first);
}

function countedBy(number: string, word: string): Allowance {
  const most = needPositive(Number(number), number);
  const [what, unit] = word.split("/");
  if (what.startsWith("connection")) {
    if (unit === undefined) return { kind: "connections", most };
    throw new UsageError(
      `connections are counted at once: write "${number} connections", or "${number} requests/${unit}"`,
    );
  }
  if (unit === undefined) {
    throw new UsageError(
      `"${number} ${word}" lacks a time; write "${number} requests/s", or per minute, hour, day, week, month`,
    );
  }
  const time = RATE_TIMES[unit];
  if (time) return { kind: "rate", most, time };
  return { kind: "quota", of: "requests", most, unit: needCalendar(unit) };
}

function bytesOf(text: string): Allowance {
  const [, number, size, unit] = /^(\d+(?:\.\d+)?)([a-z]*)(?:\/(\S*))?$/i.exec(text) ?? [];
  const factor = SIZES[size?.toLowerCase() || "b"];
  if (number === undefined || factor === undefined) {
    throw new UsageError(`"${text}" is no amount; ${EXAMPLE}`);
  }
  if (unit === undefined) throw new UsageError(`"${text}" lacks a time; write "${text}/s" or "${text}/day"`);
  const most = needPositive(Math.floor(Number(number) * factor), text);
  if (unit === "s" || unit === "second") return { kind: "bandwidth", most };
  if (unit === "minute" || unit === "hour") {
    throw new UsageError("bytes are counted by the second, or by the day, the week or the month");
  }
  return { kind: "quota", of: "bytes", most, unit: needCalendar(unit) };
}

function needPositive(most: number, text: string): number {
  if (most >= 1 && most <= Number.MAX_SAFE_INTEGER) return most;
  throw new UsageError(`"${text}" is nothing, or too much; a rule "deny" refuses everything`);
}

function needCalendar(unit: string): CalendarUnit {
  if (unit === "day" || unit === "week" || unit === "month") return unit;
  const meant = suggest(unit, UNITS);
  throw new UsageError(
    `the time "${unit}" is unknown; ${meant ? `did you mean "${meant}"?` : `use one of ${UNITS.join(", ")}`}`,
  );
}
