/**
 * The access log: one line per record, for people or for programs.
 *
 * @module
 */

import { formatEcs, formatJson } from "./json_format.ts";
import type { AccessRecord } from "./record.ts";
import { formatCombined, formatSquid } from "./squid_format.ts";
import { formatForTerminal } from "./terminal_format.ts";
import { formatText } from "./text_format.ts";

/** A terminal that shows the log. */
export interface Terminal {
  /** Whether colours are wanted. */
  readonly color: boolean;
}

/** A format of the access log. Its name is the key in {@linkcode LOG_FORMATS}. */
export interface LogFormatRow {
  /** What it is, for the help. */
  readonly help: string;
  /** A record as one line of less than 4,096 bytes, without the newline. */
  readonly line: (record: AccessRecord) => string;
  /** The same for a terminal, where it is different there. */
  readonly terminalLine?: (record: AccessRecord, terminal: Terminal) => string;
}

const ROWS = {
  text: {
    help: "For people: a full line or, on a terminal, a short one with colours",
    line: formatText,
    terminalLine: formatForTerminal,
  },
  json: { help: "For programs: an object to a line", line: formatJson },
  ecs: { help: "The same with the field names of the Elastic Common Schema", line: formatEcs },
  squid: {
    help: "Squid's native format, for sarg, calamaris, goaccess --log-format=SQUID",
    line: formatSquid,
  },
  combined: {
    help: "Apache's and nginx's format, for goaccess --log-format=COMBINED, awstats",
    line: formatCombined,
  },
} as const satisfies Record<string, LogFormatRow>;

/** The name of a format. */
export type LogFormat = keyof typeof ROWS;

/** Name → format, in the order of the help. */
export const LOG_FORMATS: Readonly<Record<LogFormat, LogFormatRow>> = ROWS;

/** The names of the formats. */
export const LOG_FORMAT_NAMES = Object.keys(LOG_FORMATS) as LogFormat[];

/** How a record becomes a line. */
export interface RecordOptions {
  /** `text` by default. */
  readonly format?: LogFormat;
  /** Whether targets keep their query, which is often secret; false by default. The "?" stays either way. */
  readonly query?: boolean;
  /** The terminal that shows the line; none by default. */
  readonly terminal?: Terminal;
}

/** Writes a record as one line of less than 4,096 bytes, without the newline. */
export function formatRecord(
  record: AccessRecord,
  { format = "text", query = false, terminal }: RecordOptions = {},
): string {
  const { target } = record;
  const shown = query || target === undefined ? record : { ...record, target: withoutQuery(target) };
  const { line, terminalLine } = LOG_FORMATS[format];
  return terminal && terminalLine ? terminalLine(shown, terminal) : line(shown);
}

function withoutQuery(target: string): string {
  const mark = target.indexOf("?");
  return mark < 0 ? target : target.slice(0, mark + 1);
}
