/**
 * What several formats of the access log make of a record.
 *
 * @module
 */

import { splitHostPort } from "../addresses/host_port.ts";
import { FAULTS } from "../fault_table.ts";
import { escapeWord, shorten } from "./escape.ts";
import { type AccessRecord, RECORD_FIELDS, type RecordField } from "./record.ts";

/** The value of a field, cut to its limit. */
export function cutValue({ value, limit }: RecordField, record: AccessRecord): string | number | undefined {
  const whole = value(record);
  return limit === undefined || typeof whole !== "string" ? whole : shorten(whole, limit);
}

/** A value as one word of ASCII; `-` if there is none. */
export function word(value: string | number | undefined): string {
  if (value === undefined || value === "") return "-";
  // Escaped, because a "-" alone means that there is no value.
  return typeof value === "number" ? String(value) : value === "-" ? "\\x2D" : escapeWord(value);
}

/** The words that the formats of other programs have: cut to the limits of their fields, and escaped. */
export function wordOf(field: "method" | "target" | "user" | "triedUser", record: AccessRecord): string {
  return word(cutValue(RECORD_FIELDS[field], record));
}

/** The user who was let in or, as Apache and Squid log it, the name of a failed login. */
export function anyUser(record: AccessRecord): string {
  return wordOf(record.user === undefined ? "triedUser" : "user", record);
}

/** The host of `HOST:PORT`, without brackets. */
export function hostOf(address: string): string {
  return splitHostPort(address)?.host ?? address;
}

/** The client's IP address. Programs that read logs take no line without one, so a Unix socket is this machine's. */
export function clientIp({ client }: AccessRecord): string {
  return client.startsWith("unix:") ? "127.0.0.1" : hostOf(client);
}

/** The replies of SOCKS5 and SOCKS4 that mean success. */
const GRANTED = [0, 0x5A];

/** The status where a client has left without one, as nginx logs it. */
const CLIENT_LEFT = 499;

/** A status as HTTP has it, whatever the client speaks: that of the fault stands for a reply of SOCKS. */
export function httpStatus({ protocol, status, fault }: AccessRecord): number {
  if (status !== undefined && (protocol === "http" || protocol === undefined)) return status;
  if (fault === undefined || (status !== undefined && GRANTED.includes(status))) return 200;
  return FAULTS[fault].blame === "client" && status === undefined ? CLIENT_LEFT : FAULTS[fault].status;
}
