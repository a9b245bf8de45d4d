/**
 * The types of `parse_args.ts`, which the mirror lacks. They are looser than those of `@std/cli`: code
 * that passes with them passes with the originals.
 *
 * @module
 */

/** How {@linkcode parseArgs} reads the arguments. */
export interface ParseOptions {
  /** Fill `"--"` with what follows `--`, instead of appending it to `_`. */
  "--"?: boolean;
  /** Other names of a flag. */
  alias?: Record<string, string | readonly string[]>;
  /** Flags without a value; `true` makes all double-hyphenated ones so. */
  boolean?: boolean | string | readonly string[];
  /** Flags that may be repeated; their value is an array. */
  collect?: string | readonly string[];
  /** Values of flags that are absent. */
  default?: Record<string, unknown>;
  /** Flags that `--no-` in front sets to false. */
  negatable?: string | readonly string[];
  /** Put everything after the first argument that is no flag into `_`. */
  stopEarly?: boolean;
  /** Flags whose value is never read as a number. */
  string?: string | readonly string[];
  /** Called for what no other option names; returning false leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What {@linkcode parseArgs} found. */
export interface Args {
  /** Arguments that are no flags. */
  _: (string | number)[];
  /** What follows `--`, where {@linkcode ParseOptions} asked for it. */
  "--"?: string[];
  [flag: string]: unknown;
}

/** Parses command line arguments in the manner of GNU's getopt_long. */
export function parseArgs(args: readonly string[], options?: ParseOptions): Args;
