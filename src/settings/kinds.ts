/**
 * The kinds of values that several options share.
 *
 * Each `read` throws a `UsageError` that quotes the text and says what is valid.
 *
 * @module
 */

import { formatDuration, parseDuration } from "../text/duration.ts";
import { UsageError } from "../text/usage_error.ts";
import type { FileContext, Schema } from "./option.ts";

const isText = (value: unknown): boolean => typeof value === "string";
/** For options that take a text, or the object that a parser has made of one. */
export function isTextOrObject(value: unknown): boolean {
  return isText(value) || (typeof value === "object" && value !== null && !Array.isArray(value));
}

const isAmount = (value: unknown): boolean => typeof value === "number" && value >= 0;

/** A switch: true or false. */
export const SWITCH = {
  read: readSwitch,
  schema: { type: "boolean" },
  takes: "true or false",
  accepts: (value: unknown) => typeof value === "boolean",
} as const;

/** Any text. */
export const TEXT = {
  value: "TEXT",
  read: (text: string) => text,
  schema: { type: "string" },
  takes: "a text",
  accepts: isText,
} as const;

/** A path, or a word such as "-" that stands for one. */
export const FILE = { ...TEXT, value: "FILE", read: readFile, inFile: placeFile };

/** A duration, in milliseconds. */
export const DURATION = {
  value: "TIME",
  read: parseDuration,
  format: formatDuration,
  schema: { type: ["string", "number"], pattern: "^[0-9]+([.][0-9]+)?(ms|s|m|h|d)?$", minimum: 0 },
  takes: "a number of milliseconds",
  accepts: isAmount,
} as const;

/** A duration that is not 0, in milliseconds. */
export const TIME = { ...DURATION, read: readTimeout };

/** A whole number from 1. */
export const COUNT = {
  value: "N",
  read: readCount,
  format: formatCount,
  schema: { type: "integer", minimum: 1 },
  takes: "a number",
  accepts: isAmount,
} as const;

/** A number of bytes. */
export const SIZE = {
  value: "SIZE",
  read: readSize,
  format: formatSize,
  schema: { type: ["string", "integer"], pattern: "^[0-9]+[kKmMgG]?$", minimum: 0 },
  takes: "a number of bytes",
  accepts: isAmount,
} as const;

/** One of a few words. */
export function oneOf<Choice extends string>(choices: readonly Choice[]): {
  readonly read: (text: string) => Choice;
  readonly schema: Schema;
  readonly takes: string;
  readonly accepts: (value: unknown) => boolean;
} {
  return {
    read(text) {
      const choice = choices.find((choice) => choice === text);
      if (choice !== undefined) return choice;
      throw new UsageError(`Invalid value "${text}": use one of ${choices.join(", ")}`);
    },
    schema: { type: "string", enum: choices },
    takes: `one of ${choices.map((choice) => `"${choice}"`).join(", ")}`,
    accepts: (value) => choices.some((choice) => choice === value),
  };
}

function readSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new UsageError(`Invalid switch "${text}": give "true" or "false"`);
}

function readFile(text: string): string {
  if (text === "") throw new UsageError('Invalid file "": give a path, "-" or "off"');
  return text;
}

/** Standard output is no file, and neither is "off". */
function placeFile(text: string, { path }: FileContext): string {
  return text === "-" || text === "off" ? text : path(text);
}

function readTimeout(text: string): number {
  const duration = parseDuration(text);
  if (duration === 0) throw new UsageError(`Invalid time limit "${text}": give at least "1ms"`);
  return duration;
}

function readCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new UsageError(`Invalid count "${text}": give a whole number from 1`);
  return count;
}

function formatCount(count: number): string {
  return count === Infinity ? "no limit" : String(count);
}

/** Powers of 1024, as in curl and nginx. */
const SIZE_UNITS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** The number of bytes in a text such as `64k`; NaN if the text is not a size. */
export function bytesIn(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9})([kmg])?$/.exec(text.toLowerCase()) ?? [];
  return Number(amount) * SIZE_UNITS[unit];
}

function readSize(text: string): number {
  const size = bytesIn(text);
  if (size >= 0) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "1048576", "100m" or "2g"`);
}

function formatSize(size: number): string {
  if (size === Infinity) return "no limit";
  return size % SIZE_UNITS.k === 0 ? `${size / SIZE_UNITS.k}k` : String(size);
}
