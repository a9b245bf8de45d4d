/**
 * The access log for people: a full line.
 *
 * @module
 */

import { escapeQuoted } from "./escape.ts";
import { cutValue, word } from "./log_values.ts";
import { type AccessRecord, RECORD_FIELDS, type RecordField } from "./record.ts";

const IN_TEXT = Object.values<RecordField>(RECORD_FIELDS).toSorted((a, b) => a.place - b.place);

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
    const value = cutValue(field, record);
    const { text, quoted, unit = "" } = field;
    if (text === undefined) line += ` ${word(value)}`;
    else if (value !== undefined) {
      line += quoted ? ` ${text}="${escapeQuoted(String(value))}"` : ` ${text}=${word(value)}${unit}`;
    }
  }
  return line.slice(1);
}
