/**
 * What a flag is.
 *
 * @module
 */

import type { CommandName } from "./commands.ts";

/** The headings of the help. */
export type Group =
  | "Listening"
  | "Access"
  | "Upstreams"
  | "Destinations"
  | "Timeouts"
  | "Limits"
  | "Logs"
  | "Pair"
  | "Request"
  | "Question"
  | "About";

/** The commands that run a proxy. */
export const RUNS_PROXY: readonly CommandName[] = ["serve", "remote", "local"];

/** The commands that ask rules. */
export const KNOWS_RULES: readonly CommandName[] = [...RUNS_PROXY, "explain"];

/** The commands that resolve names. */
export const RESOLVES: readonly CommandName[] = [...KNOWS_RULES, "check"];

/** The commands that take a flag; undefined for all of them. */
export function commandsOf({ group, commands }: Flag): readonly CommandName[] | undefined {
  return commands ?? (group === "About" ? undefined : RUNS_PROXY);
}

/** One flag. Its name is the key in `FLAGS`. */
export interface Flag {
  readonly group: Group;
  /** The one-letter name. */
  readonly short?: string;
  /** Words under which people look for it, such as those that other programs use: they are suggested it. */
  readonly synonyms?: readonly string[];
  /** What stands for the value in the help; a flag without one is a switch. */
  readonly value?: string;
  readonly help: string;
  /** Taken where the flag is not given. Shown in the help, unless it is a switch's. */
  readonly fallback?: string;
  readonly repeatable?: true;
  /** The flag that this one is short for, and its value; of a flag with a value, what stands before that. */
  readonly shorthand?: readonly [flag: string, text: string];
  /** The commands that take it; those that run a proxy where it is left out. */
  readonly commands?: readonly CommandName[];
  /** What separates several values in the environment; that of the flag it is short for, or a comma, where left out. */
  readonly separator?: string;
  /** Whether the environment has a say; it has not in questions about the program. */
  readonly environment?: false;
  /** Understands the value, or throws a `UsageError`. */
  readonly read: (text: string) => unknown;
}
