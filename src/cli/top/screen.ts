/**
 * The screen of `sluice top`, as lines of text. Nothing here writes or reads.
 *
 * @module
 */

import { formatBytes } from "../check/progress.ts";

/** A connection as the proxy's events tell it. */
export interface Row {
  readonly id: string;
  readonly client: string;
  readonly user?: string;
  readonly state: string;
  readonly target?: string;
  readonly route?: string;
  readonly bytes_sent: number;
  readonly bytes_received: number;
  readonly send_speed: number;
  readonly receive_speed: number;
  readonly duration_ms: number;
}

/** What the first lines tell. */
export interface Summary {
  readonly name: string;
  readonly uptime: number;
  readonly open: number;
  /** Bytes a second to clients and to targets; undefined before the second event. */
  readonly speeds:
    | { readonly received: number; readonly sent: number; readonly requests: number }
    | undefined;
}

/** The orders in which rows can be, the first at the start. */
export const ORDERS = ["speed", "received", "sent", "age", "target", "user", "client"] as const;

/** A name of an order. */
export type Order = typeof ORDERS[number];

/** What is shown. */
export interface View {
  readonly summary: Summary;
  /** In their order. */
  readonly rows: readonly Row[];
  /** How many there are with those that the filter leaves out. */
  readonly all: number;
  readonly order: Order;
  readonly filter: string;
  /** The id of the row that is selected. */
  readonly selected: string | undefined;
  /** The last line: a question or a message, in place of the keys. */
  readonly said: string | undefined;
}

/** The size of a terminal, and whether it shows colours. */
export interface Size {
  readonly columns: number;
  /** How many lines; all rows are shown if it is infinite. */
  readonly lines: number;
  readonly style: boolean;
}

interface Column {
  readonly heading: string;
  readonly width: number;
  /** The column is left out on a terminal that has fewer columns. */
  readonly from: number;
  readonly right?: true;
  readonly text: (row: Row) => string;
}

const COLUMNS: readonly Column[] = [
  { heading: "USER", width: 12, from: 60, text: ({ user = "" }) => user },
  { heading: "CLIENT", width: 21, from: 90, text: ({ client }) => client },
  { heading: "TO CLIENT", width: 11, from: 0, right: true, text: (row) => speed(row.receive_speed) },
  { heading: "TO TARGET", width: 11, from: 50, right: true, text: (row) => speed(row.send_speed) },
  { heading: "RECEIVED", width: 9, from: 112, right: true, text: (row) => formatBytes(row.bytes_received) },
  { heading: "SENT", width: 9, from: 112, right: true, text: (row) => formatBytes(row.bytes_sent) },
  { heading: "AGE", width: 7, from: 70, right: true, text: (row) => formatAge(row.duration_ms) },
];

const KEYS = "q quit  s sort  / filter  k close  arrows select";

/** The lines of a screen, none wider than the terminal and no more than it has. */
export function render(view: View, size: Size): string[] {
  const { rows, selected, said, order, filter, all, summary: { name, uptime, open, speeds } } = view;
  const { columns, lines } = size;
  const fit = (text: string): string => clip(text, columns);
  const counted = filter === "" ? "" : `, ${rows.length} of ${all} match "${filter}"`;
  const top = [
    fit(`sluice ${name}  up ${formatAge(uptime * 1_000)}  ${open} open${counted}`),
    fit(
      speeds
        ? `to clients ${formatBytes(speeds.received)}/s  to targets ${formatBytes(speeds.sent)}/s  ` +
          `${speeds.requests.toFixed(1)} requests/s  by ${order}`
        : "measuring",
    ),
    "",
  ];
  const shown = COLUMNS.filter(({ from }) => columns >= from);
  const width = Math.max(8, columns - shown.reduce((sum, { width }) => sum + width + 1, 0));
  const line = (first: string, text: (column: Column) => string): string =>
    fit(
      [pad(first, width), ...shown.map((column) => pad(text(column), column.width, column.right))].join(" "),
    );
  const heading = styled(line("TARGET", ({ heading }) => heading), "1", size);
  const room = Math.max(0, lines - top.length - 2);
  const place = rows.findIndex(({ id }) => id === selected);
  const first = place < room ? 0 : place - room + 1;
  const visible = rows.slice(first, first + room).map((row) => {
    const text = line(row.target ?? `(${row.state})`, ({ text }) => text(row));
    return row.id === selected ? styled(text, "7", size) : text;
  });
  if (lines === Infinity) return [...top, heading, ...visible];
  const blank = Array<string>(Math.max(0, room - visible.length)).fill("");
  return [...top, heading, ...visible, ...blank, fit(said ?? KEYS)].slice(0, lines);
}

/** Rows that fit a filter, in an order. */
export function arrange(
  rows: readonly Row[],
  { order, filter }: { readonly order: Order; readonly filter: string },
): Row[] {
  const words = filter.toLowerCase().split(/\s+/);
  const value = VALUES[order];
  return rows.filter(({ target, user, client, route, state }) => {
    const text = [target, user, client, route, state].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  }).sort((a, b) => {
    const [one, other] = [value(a), value(b)];
    if (one === other) return a.id < b.id ? -1 : 1;
    // Numbers fall, words rise.
    return (one < other) === (typeof one === "string") ? -1 : 1;
  });
}

const VALUES: Readonly<Record<Order, (row: Row) => string | number>> = {
  speed: (row) => row.receive_speed + row.send_speed,
  received: (row) => row.bytes_received,
  sent: (row) => row.bytes_sent,
  age: (row) => row.duration_ms,
  target: ({ target = "" }) => target,
  user: ({ user = "" }) => user,
  client: ({ client }) => client,
};

function speed(count: number): string {
  return count > 0 ? `${formatBytes(count)}/s` : "-";
}

/** A duration in at most seven characters. */
function formatAge(ms: number): string {
  const s = Math.floor(ms / 1_000);
  const [d, h, m] = [s / 86_400, s / 3_600 % 24, s / 60 % 60].map(Math.floor);
  if (d > 0) return `${d}d${h}h`;
  if (h > 0) return `${h}h${m}m`;
  return m > 0 ? `${m}m${s % 60}s` : `${s}s`;
}

function pad(text: string, width: number, right = false): string {
  const cut = clip(text, width);
  return right ? cut.padStart(width) : cut.padEnd(width);
}

/** Text of strangers must not move the cursor, so its control characters are shown as question marks. */
function clip(text: string, width: number): string {
  const plain = text.replaceAll(/\p{Cc}|\p{Cf}/gu, "?");
  return plain.length <= width ? plain : `${plain.slice(0, Math.max(0, width - 1))}~`;
}

/** Select Graphic Rendition (ECMA-48 section 8.3.117): 1 is bold, 7 is inverse. */
function styled(text: string, code: string, { style }: Size): string {
  return style ? `\x1b[${code}m${text}\x1b[0m` : text;
}
