/**
 * The formats of other programs, for the tools that read their logs: Squid's native one, and Apache's combined one.
 *
 * @module
 */

import { FAULTS } from "../fault_table.ts";
import { anyUser, clientIp, hostOf, httpStatus, word, wordOf } from "./log_values.ts";
import type { AccessRecord } from "./record.ts";

/**
 * Squid's native format: the time of the end, milliseconds, client, result and status, bytes to the client, method,
 * target, user, how it was reached and where, and the type of the content, which we do not know.
 *
 * @example
 * ```text
 * 1769860800.153    153 127.0.0.1 TCP_TUNNEL/200 4120 CONNECT example.com:443 ann HIER_DIRECT/192.0.2.7 -
 * ```
 */
export function formatSquid(record: AccessRecord): string {
  const { time, duration, received } = record;
  const ended = ((time.getTime() + duration) / 1_000).toFixed(3);
  const milliseconds = Math.round(duration).toString().padStart(6);
  const result = `${resultOf(record)}/${httpStatus(record)}`;
  const asked = record.method === undefined ? "NONE error:invalid-request" : askedOf(record);
  return `${ended} ${milliseconds} ${clientIp(record)} ${result} ${received} ${asked} ${anyUser(record)} ` +
    `${hierarchyOf(record)} -`;
}

/** Method and target. An association is a tunnel, too: tools know no method UDP. */
function askedOf(record: AccessRecord): string {
  const method = record.method === "UDP" ? "CONNECT" : wordOf("method", record);
  return `${method} ${wordOf("target", record)}`;
}

/** The result, as https://wiki.squid-cache.org/SquidFaq/SquidLogs has it. Nothing is cached here. */
function resultOf({ method, fault, ending }: AccessRecord): string {
  if (method === undefined) return "NONE_NONE";
  if (fault === "proxy_authentication_required" || fault && FAULTS[fault].blame === "policy") {
    return "TCP_DENIED";
  }
  const result = method === "CONNECT" || method === "UDP" ? "TCP_TUNNEL" : "TCP_MISS";
  return ending === "aborted" ? `${result}_ABORTED` : ending === "timed out" ? `${result}_TIMEDOUT` : result;
}

function hierarchyOf({ route, dialed }: AccessRecord): string {
  if (dialed === undefined) return "HIER_NONE/-";
  return `${route === "direct" ? "HIER_DIRECT" : "FIRSTUP_PARENT"}/${word(hostOf(dialed))}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Apache's combined format: client, "-", user, time of the arrival, request, status, bytes to the client. Referer and user
 * agent are "-": a proxy does not keep what pages people come from.
 *
 * @example
 * ```text
 * 127.0.0.1 - ann [31/Jan/2026:12:00:00 +0000] "CONNECT example.com:443 HTTP/1.1" 200 4120 "-" "-"
 * ```
 */
export function formatCombined(record: AccessRecord): string {
  const { method, protocol, received } = record;
  // Tools know no other version than those of HTTP. A word would be taken for a part of the target.
  const version = protocol === "http" ? "HTTP/1.1" : "HTTP/1.0";
  const request = method === undefined ? "-" : `${askedOf(record)} ${version}`;
  return `${clientIp(record)} - ${anyUser(record)} [${formatTime(record.time)}] "${request}" ` +
    `${httpStatus(record)} ${received} "-" "-"`;
}

function formatTime(time: Date): string {
  const [year, month, day, clock] = time.toISOString().split(/[-T.]/);
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${clock} +0000`;
}
