/**
 * The values of flags: from the text that was given to what the program works with.
 *
 * Each reader throws a `UsageError` that quotes the text and says what to give instead.
 *
 * @module
 */

import { parseDuration } from "../duration.ts";
import { parseEndpoint } from "../endpoint.ts";
import { LOG_FORMATS, type LogFormat } from "../observe/access_log.ts";
import { type Level, LEVELS } from "../observe/log.ts";
import { parseUser } from "../policy/users.ts";
import { FORWARDED_MODES, type ForwardedMode } from "../protocols/http1_forwarded.ts";
import { UsageError } from "../usage_error.ts";

/** An endpoint, which is checked and left as it is. */
export function readEndpoint(text: string): string {
  parseEndpoint(text);
  return text;
}

/** On or off. */
export function readSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new UsageError(`Invalid switch "${text}": give "true" or "false"`);
}

/** A pseudonym: what is a token (RFC 9110 section 5.6.2) in Via and in Proxy-Status (RFC 8941 section 3.3.4) alike. */
export function readName(text: string): string {
  if (/^[A-Za-z][\w!#$%&'*+.^`|~-]*$/.test(text)) return text;
  throw new UsageError(
    `Invalid name "${text}": use letters, digits, "-", "." and "_", and begin with a letter`,
  );
}

/** A name and a password, which are checked and left as they are. */
export function readUser(text: string): string {
  parseUser(text);
  return text;
}

/** A duration that is not 0, in milliseconds. */
export function readTimeout(text: string): number {
  const duration = parseDuration(text);
  if (duration === 0) throw new UsageError(`Invalid time limit "${text}": give at least "1ms"`);
  return duration;
}

/** A whole number from 1. */
export function readCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new UsageError(`Invalid count "${text}": give a whole number from 1`);
  return count;
}

/** Powers of 1024, as curl and nginx have them. */
const SIZE_UNITS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** RFC 9112 section 3 wants request lines of 8000 octets to work; below this not even usual heads do. */
const MIN_SIZE = 1024;
const MAX_SIZE = 16 * 1024 * 1024;

/** The size of a head, in bytes. */
export function readSize(text: string): number {
  const size = bytesIn(text);
  if (size >= MIN_SIZE && size <= MAX_SIZE) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "65536" or "64k", from "1k" to "16m"`);
}

/** The size of a body, in bytes. */
export function readBodySize(text: string): number {
  const size = bytesIn(text);
  if (size >= 0) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "1048576", "100m" or "2g"`);
}

function bytesIn(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,9})([kmg])?$/.exec(text.toLowerCase()) ?? [];
  return Number(amount) * SIZE_UNITS[unit];
}

/** Writes a size as {@linkcode readSize} reads it. */
export function formatSize(size: number): string {
  return size % SIZE_UNITS.k === 0 ? `${size / SIZE_UNITS.k}k` : String(size);
}

/** A path, or a word that stands for one. */
export function readFile(text: string): string {
  if (text === "") throw new UsageError('Invalid file "": give a path, "-" or "off"');
  return text;
}

/** A format of the access log. */
export function readLogFormat(text: string): LogFormat {
  return readOneOf(text, LOG_FORMATS);
}

/** What becomes of Forwarded and X-Forwarded-For. */
export function readForwardedMode(text: string): ForwardedMode {
  return readOneOf(text, FORWARDED_MODES);
}

/** A level of the diagnostics. */
export function readLevel(text: string): Level {
  return readOneOf(text, LEVELS);
}

function readOneOf<T extends string>(text: string, choices: readonly T[]): T {
  const choice = choices.find((choice) => choice === text);
  if (choice === undefined) throw new UsageError(`Invalid value "${text}": use one of ${choices.join(", ")}`);
  return choice;
}
