/**
 * Medians, ratios and tables of what was measured.
 *
 * @module
 */

import { REFERENCE } from "./contestants.ts";
import type { Figures, Load } from "./loads.ts";

/** A contestant's figures in each round of a load; undefined for a round in which it broke. */
export interface Result {
  readonly contestant: string;
  readonly rounds: readonly Figures[];
  /** Why there are no figures, if there are none. */
  readonly failure?: string;
}

/** The part of a result that is printed and written to a file. */
export interface Summary {
  readonly load: string;
  readonly contestant: string;
  readonly unit: string;
  /** The median of every figure. */
  readonly median: Partial<Figures>;
  /** In each round, the cost divided by the reference's cost; this is the median over the rounds. */
  readonly ratio: number | undefined;
  readonly rounds: readonly Figures[];
  readonly failure: string | undefined;
}

/** The value in the middle; for an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Sums a load's results up. */
export function summarize({ name, unit }: Load, results: readonly Result[]): Summary[] {
  const reference = results.find(({ contestant }) => contestant === REFERENCE)?.rounds ?? [];
  return results.map(({ contestant, rounds, failure }) => {
    const ratios = finite(
      rounds.slice(0, reference.length).map(({ cost }, round) => cost / reference[round].cost),
    );
    const known = Object.keys(rounds[0] ?? {}) as (keyof Figures)[];
    const medians = known.map((figure) => [figure, median(finite(rounds.map((round) => round[figure]!)))]);
    return {
      load: name,
      contestant,
      unit,
      median: Object.fromEntries(medians),
      ratio: ratios.length > 0 ? median(ratios) : undefined,
      rounds,
      failure,
    };
  });
}

/** The values of the rounds in which something was done: a cost per nothing is no number. */
function finite(values: readonly number[]): number[] {
  return values.filter(Number.isFinite);
}

const COLUMNS: readonly (readonly [title: string, text: (summary: Summary) => string])[] = [
  ["", ({ contestant }) => contestant],
  [`x ${REFERENCE}`, ({ ratio }) => number(ratio)],
  ["cost", ({ median }) => number(median.cost)],
  ["from-to", ({ rounds }) => range(rounds.map(({ cost }) => cost))],
  ["x plain", ({ median }) => number(median.overhead)],
  ["per s", ({ median }) => number(median.rate)],
  ["p50 ms", ({ median }) => number(median.p50)],
  ["p99 ms", ({ median }) => number(median.p99)],
  ["RSS MB", ({ median }) => number(median.rss)],
  ["proxy", ({ median }) => percent(median.proxyShare)],
  ["client", ({ median }) => percent(median.clientShare)],
  ["origin", ({ median }) => percent(median.originShare)],
  ["errors", ({ median }) => number(median.errors)],
];

/** A load's table. */
export function table({ name, title, unit }: Load, summaries: readonly Summary[]): string {
  const failures = summaries.filter(({ failure }) => failure).map(({ contestant, failure }) =>
    `${contestant}: ${failure!.trim().split("\n")[0]}\n`
  );
  const rows = summaries.map((summary) => COLUMNS.map(([, text]) => text(summary)));
  const used = COLUMNS.map((_, column) => column === 0 || rows.some((row) => row[column] !== ""));
  const lines = [COLUMNS.map(([title]) => title), ...rows].map((row) =>
    row.filter((_, column) => used[column])
  );
  return [`## ${name}: ${title}\n`, `cost: ${unit}\n`, markdown(lines), ...failures].join("\n");
}

/**
 * One table of several loads: the ratio to the reference, and the cost in brackets. Loads at a given rate and loads of
 * another set-up have a second row.
 */
export function overview(loads: readonly Load[], summaries: readonly Summary[]): string {
  const contestants = [...new Set(summaries.map(({ contestant }) => contestant))];
  const row = (load: Load, what: string, text: (summary: Summary) => string): string[] => {
    const cells = contestants.map((name) => {
      const summary = summaries.find((summary) => summary.load === load.name && summary.contestant === name);
      return summary?.median.cost === undefined ? "" : text(summary);
    });
    return [load.name + what, ...cells];
  };
  const rows = loads.flatMap((load) => [
    row(
      load,
      "",
      ({ ratio, median: { cost } }) =>
        ratio === undefined ? number(cost) : `${number(ratio)} (${number(cost)})`,
    ),
    ...load.paced
      ? [row(load, ": p50, p99 in ms", ({ median: { p50, p99 } }) => `${number(p50)}, ${number(p99)}`)]
      : [],
    row(load, ": x plain", ({ median }) => number(median.overhead)),
  ]).filter(([, ...cells]) => cells.some((cell) => cell !== ""));
  return `## x ${REFERENCE} (cost)\n\n${markdown([["", ...contestants], ...rows])}`;
}

/** A table whose first row is its head; all columns but the first are to the right. */
function markdown([head, ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(2, title.length, ...rows.map((row) => row[column].length))
  );
  const line = (row: readonly string[]): string =>
    `| ${
      row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join(
        " | ",
      )
    } |`;
  const rule = widths.map((width, column) => column === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":");
  return [head, rule, ...rows].map(line).join("\n") + "\n";
}

/** Writes a number with three significant digits. */
function number(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "";
  return Math.abs(value) >= 100 || value === 0 ? value.toFixed(0) : value.toPrecision(3);
}

function percent(value: number | undefined): string {
  return value === undefined ? "" : `${(value * 100).toFixed(0)}%`;
}

function range(values: readonly number[]): string {
  return values.length < 2 ? "" : `${number(Math.min(...values))}-${number(Math.max(...values))}`;
}
