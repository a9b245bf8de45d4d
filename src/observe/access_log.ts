/**
 * The access log: one line per record, for people or for programs.
 *
 * @module
 */

import { escapeQuoted, escapeWord, shorten } from "./escape.ts";
import { type AccessRecord, RECORD_FIELDS, type RecordField } from "./record.ts";

/** The formats of the access log. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** How a record becomes a line. */
export interface RecordOptions {
  /** `text` by default. */
  readonly format?: LogFormat;
  /** Whether targets keep their query, which is often secret; false by default. The "?" stays either way. */
  readonly query?: boolean;
}

/** Text that needs no escape in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;

const FIELDS: readonly RecordField[] = Object.values(RECORD_FIELDS);

const IN_TEXT = FIELDS.toSorted((a, b) => a.place - b.place);

/** Writes a record as one line of less than 4,096 bytes, without the newline. */
export function formatRecord(
  record: AccessRecord,
  { format = "text", query = false }: RecordOptions = {},
): string {
  const { target } = record;
  const shown = query || target === undefined ? record : { ...record, target: withoutQuery(target) };
  return format === "json" ? formatJson(shown) : formatText(shown);
}

function withoutQuery(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark + 1);
}

/**
 * A line for people. It begins with nine words: time, id, client, user, protocol, method, target, status and ending. A
 * missing value is `-`. Then comes `key=value` for each other value of the record.
 *
 * @example
 * ```text
 * 2026-01-31T12:00:00.000Z 7 127.0.0.1:50312 - socks5 CONNECT example.com:443 0 completed sent=517
 * received=4120 duration=153.2ms dns=1.9ms dial=10.4ms first_byte=25ms route=direct dialed=192.0.2.7:443
 * ```
 */
export function formatText(record: AccessRecord): string {
  let line = "";
  for (const field of IN_TEXT) {
    const value = valueOf(field, record);
    const { text, quoted, unit = "" } = field;
    if (text === undefined) line += ` ${word(value)}`;
    else if (value !== undefined) {
      line += quoted ? ` ${text}="${escapeQuoted(String(value))}"` : ` ${text}=${word(value)}${unit}`;
    }
  }
  return line.slice(1);
}

/**
 * A JSON object in ASCII with these keys, in this order. A key without a value is left out:
 *
 * - `time`: when the request arrived (RFC 3339, UTC).
 * - `id`: the connection; its requests share it.
 * - `client`, `user`, `tried_user`, `protocol`, `method`, `target`, `route`, `dialed`, `status`, `fault`, `reason`: as
 *   in {@link AccessRecord}.
 * - `bytes_sent`, `bytes_received`: body or tunnel bytes to and from the target.
 * - `targets`, `datagrams_sent`, `datagrams_received`, `datagrams_dropped`: only for an association, see
 *   {@link DatagramCounts}.
 * - `dns_ms`, `dial_ms`, `first_byte_ms`, `duration_ms`: milliseconds, at most three decimals.
 * - `ending`: `completed`, `refused`, `timed_out` or `aborted`.
 */
export function formatJson(record: AccessRecord): string {
  // An object with keys from a table would be a dictionary to V8, and writing it would take twice as long.
  let json = "";
  for (const field of FIELDS) {
    const value = valueOf(field, record);
    if (value !== undefined) json += `,"${field.json}":${jsonOf(value)}`;
  }
  return `{${json.slice(1)}}`;
}

function jsonOf(value: string | number): string {
  if (typeof value === "number") return `${value}`;
  // JSON.stringify leaves DEL, C1 controls and line separators as they are.
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value).replace(
    /[\x7F-\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The value of a field, cut to its limit. */
function valueOf({ value, limit }: RecordField, record: AccessRecord): string | number | undefined {
  const whole = value(record);
  return limit === undefined || typeof whole !== "string" ? whole : shorten(whole, limit);
}

function word(value: string | number | undefined): string {
  if (value === undefined || value === "") return "-";
  // Escaped, because a "-" alone means that there is no value.
  return typeof value === "number" ? String(value) : value === "-" ? "\\x2D" : escapeWord(value);
}
