/**
 * The access log: one line per record, for people or for programs.
 *
 * @module
 */

import { escapeQuoted, escapeWord, shorten } from "./escape.ts";
import type { AccessRecord, DatagramCounts, Ending } from "./record.ts";

/** How records are written. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** What a line has of a record. */
export interface RecordOptions {
  /** As text unless told otherwise. */
  readonly format?: LogFormat;
  /** Whether targets keep their query, which is often secret; false by default. The "?" stays either way. */
  readonly query?: boolean;
}

/**
 * The most bytes that a target takes in a line, and any other text that others choose. What is longer is cut, so that a line
 * is shorter than 4,096 bytes (PIPE_BUF on Linux, see pipe(7)): a pipe takes it whole, and lines of several workers never mix.
 */
const MAX_TARGET = 2_000;
const MAX_TEXT = 320;

/** Writes a record as one line of less than 4,096 bytes, without the newline. */
export function formatRecord(
  record: AccessRecord,
  { format = "text", query = false }: RecordOptions = {},
): string {
  const { target } = record;
  const shown = {
    ...record,
    method: short(record.method),
    user: short(record.user),
    route: short(record.route),
    reason: short(record.reason),
    target: target === undefined ? undefined : shorten(query ? target : withoutQuery(target), MAX_TARGET),
  };
  return format === "json" ? formatJson(shown) : formatText(shown);
}

function short(text: string | undefined): string | undefined {
  return text === undefined ? undefined : shorten(text, MAX_TEXT);
}

function withoutQuery(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark + 1);
}

/**
 * A line for people: nine words that are always there (time, id, client, user, protocol, method, target, status
 * and ending; `-` where there is nothing to tell), then `key=value` for what there is.
 *
 * @example
 * ```text
 * 2026-01-31T12:00:00.000Z 7 127.0.0.1:50312 - socks5 CONNECT example.com:443 0 completed sent=517
 * received=4120 duration=153.2ms dns=1.9ms dial=10.4ms first_byte=25ms route=direct dialed=192.0.2.7:443
 * ```
 */
export function formatText(record: AccessRecord): string {
  const words = [
    record.time.toISOString(),
    word(record.id),
    word(record.client),
    word(record.user),
    word(record.protocol),
    word(record.method),
    word(record.target),
    record.status ?? "-",
    ending(record.ending),
    `sent=${record.sent}`,
    `received=${record.received}`,
    ...datagramWords(record.datagrams),
    `duration=${milliseconds(record.duration)}ms`,
  ];
  if (record.dnsTime !== undefined) words.push(`dns=${milliseconds(record.dnsTime)}ms`);
  if (record.dialTime !== undefined) words.push(`dial=${milliseconds(record.dialTime)}ms`);
  if (record.firstByteTime !== undefined) words.push(`first_byte=${milliseconds(record.firstByteTime)}ms`);
  if (record.route !== undefined) words.push(`route=${word(record.route)}`);
  if (record.dialed !== undefined) words.push(`dialed=${word(record.dialed)}`);
  if (record.triedUser !== undefined) words.push(`tried_user=${word(record.triedUser)}`);
  if (record.fault !== undefined) words.push(`fault=${record.fault}`);
  if (record.reason !== undefined) words.push(`reason="${escapeQuoted(record.reason)}"`);
  return words.join(" ");
}

/**
 * A JSON object in ASCII. Its keys, in this order; a key is left out where there is nothing to tell:
 *
 * - `time`: when the request arrived (RFC 3339, UTC).
 * - `id`: the connection; its requests share it.
 * - `client`, `user`, `tried_user`, `protocol`, `method`, `target`, `route`, `dialed`, `status`, `fault`, `reason`: as
 *   in {@link AccessRecord}.
 * - `bytes_sent`, `bytes_received`: body or tunnel bytes to and from the target.
 * - `targets`, `datagrams_sent`, `datagrams_received`, `datagrams_dropped`: of an association alone, see
 *   {@link DatagramCounts}.
 * - `dns_ms`, `dial_ms`, `first_byte_ms`, `duration_ms`: milliseconds, at most three decimals.
 * - `ending`: `completed`, `refused`, `timed_out` or `aborted`.
 */
export function formatJson(record: AccessRecord): string {
  const json = JSON.stringify({
    time: record.time.toISOString(),
    id: record.id,
    client: record.client,
    user: record.user,
    tried_user: record.triedUser,
    protocol: record.protocol,
    method: record.method,
    target: record.target,
    route: record.route,
    dialed: record.dialed,
    status: record.status,
    fault: record.fault,
    reason: record.reason,
    bytes_sent: record.sent,
    bytes_received: record.received,
    targets: record.datagrams?.targets,
    datagrams_sent: record.datagrams?.sent,
    datagrams_received: record.datagrams?.received,
    datagrams_dropped: record.datagrams?.dropped,
    dns_ms: milliseconds(record.dnsTime),
    dial_ms: milliseconds(record.dialTime),
    first_byte_ms: milliseconds(record.firstByteTime),
    duration_ms: milliseconds(record.duration),
    ending: ending(record.ending),
  });
  // JSON.stringify leaves DEL, C1 controls and line separators as they are.
  return json.replace(/[\x7F-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function datagramWords(counts: DatagramCounts | undefined): string[] {
  if (!counts) return [];
  const { targets, sent, received, dropped } = counts;
  return [
    `targets=${targets}`,
    `datagrams_sent=${sent}`,
    `datagrams_received=${received}`,
    `datagrams_dropped=${dropped}`,
  ];
}

function word(text: string | undefined): string {
  if (text === undefined || text === "") return "-";
  // So that nobody can pass for absent.
  return text === "-" ? "\\x2D" : escapeWord(text);
}

function ending(ending: Ending): string {
  return ending.replace(" ", "_");
}

function milliseconds(duration: number): number;
function milliseconds(duration: number | undefined): number | undefined;
function milliseconds(duration: number | undefined): number | undefined {
  return duration === undefined ? undefined : Math.round(duration * 1_000) / 1_000;
}
