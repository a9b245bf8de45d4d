/**
 * What a completion is made from.
 *
 * @module
 */

/** A command as completions show it. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  /** What its first word can be. */
  readonly choices: readonly string[];
}

/** A flag as completions show it. */
export interface CompletedFlag {
  readonly name: string;
  readonly short: string | undefined;
  /** What stands for its value; undefined for a switch. */
  readonly value: string | undefined;
  readonly repeatable: boolean;
  /** Its values: a few words, files, or others. */
  readonly takes: readonly string[] | "files" | undefined;
  /** The beginning of its help. */
  readonly summary: string;
  readonly commands: readonly string[];
}

/** What a completion is made from. */
export interface Completed {
  readonly commands: readonly CompletedCommand[];
  readonly flags: readonly CompletedFlag[];
}
