/**
 * The access log as JSON, with our own names and with those of the Elastic Common Schema.
 *
 * @module
 */

import { parsePort, splitHostPort } from "../addresses/host_port.ts";
import { shorten } from "./escape.ts";
import { cutValue, httpStatus } from "./log_values.ts";
import { type AccessRecord, RECORD_FIELDS, type RecordField } from "./record.ts";

/** Text that needs no escape in JSON. */
const PLAIN = /^[ !#-[\]-~]*$/;

const FIELDS: readonly RecordField[] = Object.values(RECORD_FIELDS);

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
  for (const field of FIELDS) json += member(field.json, cutValue(field, record));
  return `{${json.slice(1)}}`;
}

/** The version of the schema whose names we use. */
const ECS_VERSION = "8.11.0";

/**
 * A JSON object with the names of the Elastic Common Schema, in the dotted spelling. Each field has its name from its row,
 * and those below are made of several. What the schema has no name for is called `sluice.*`.
 */
export function formatEcs(whole: AccessRecord): string {
  const record = { ...whole, target: whole.target && shorten(whole.target, MAX_TARGET) };
  let json = "";
  for (const field of FIELDS) json += member(field.ecs, cutValue(field, record));
  const { fault, duration, client, dialed, protocol, method = "-", target = "-" } = record;
  json += member("ecs.version", ECS_VERSION) + member("event.dataset", "sluice.access") +
    member("log.level", fault === undefined ? "info" : "warn") +
    member("message", shorten(`${method} ${target} ${httpStatus(record)}`, MAX_MESSAGE)) +
    member("event.duration", Math.round(duration * 1_000_000)) +
    member("event.outcome", fault === undefined ? "success" : "failure") +
    endOf("client", client) + endOf("destination", dialed) +
    member("http.response.status_code", protocol === "http" ? record.status : undefined);
  return `{${json.slice(1)}}`;
}

/** The other names take more of a line's 4,096 bytes here. */
const MAX_TARGET = 1_600;

/** The message shows the beginning of the target, which another field has. */
const MAX_MESSAGE = 120;

/** Address and port of one end, `HOST:PORT`. A Unix socket has neither. */
function endOf(name: string, text = ""): string {
  const { host, port } = splitHostPort(text) ?? {};
  return port === undefined || parsePort(port) === undefined
    ? ""
    : member(`${name}.ip`, host) + member(`${name}.port`, Number(port));
}

function member(key: string, value: string | number | undefined): string {
  return value === undefined ? "" : `,"${key}":${jsonOf(value)}`;
}

function jsonOf(value: string | number): string {
  if (typeof value === "number") return `${value}`;
  // JSON.stringify leaves DEL, C1 controls and line separators as they are.
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value).replace(
    /[\x7F-\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
