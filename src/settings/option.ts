/**
 * An option is one row. Its flag, its environment variable, its help, its default and its name in the library come from
 * this row.
 *
 * @module
 */

/** The headings of the help, in their order. */
export const GROUPS = [
  "Listening",
  "Access",
  "Upstreams",
  "Destinations",
  "Timeouts",
  "Limits",
  "Logs",
  "Pair",
  "Request",
  "Question",
  "About",
] as const;

/** A heading of the help. */
export type Group = typeof GROUPS[number];

/** The commands of the program. The table of commands has an entry for each. */
export type CommandName = "serve" | "remote" | "local" | "keygen" | "check" | "explain" | "passwd";

/** The commands that run a proxy. */
export const RUNS_PROXY: readonly CommandName[] = ["serve", "remote", "local"];

/** The commands that read rules. */
export const KNOWS_RULES: readonly CommandName[] = [...RUNS_PROXY, "explain"];

/** The commands that resolve names. */
export const RESOLVES: readonly CommandName[] = [...KNOWS_RULES, "check"];

/** Options of the library alone: no command takes them. */
export const LIBRARY_ONLY = [] as const;

/** A kind of value: how people write it, and what the library accepts. A row begins with one. */
export interface Kind {
  /** What stands for the value in the help; a flag without one is a switch. */
  readonly value?: string;
  /** Parses the text of a flag or variable, or throws a `UsageError`. `label` names the flag or variable. */
  readonly read: (text: string, label: string) => unknown;
  /** Writes a default for the help. Without it the help shows the value itself. */
  format?(value: unknown): string;
  /** Names the values that the library accepts, for the message to a caller who gives another. */
  readonly takes: string;
  /** Whether the library accepts a value. */
  readonly accepts: (value: unknown) => boolean;
}

/** One option. Its key in a table is the name of its flag, without hyphens in front. */
export interface Option extends Kind {
  readonly group: Group;
  /** The one-letter name. */
  readonly short?: string;
  /** Names that other programs have for it. A message about one of them suggests this option. */
  readonly synonyms?: readonly string[];
  /** One sentence or a few for the help. */
  readonly help: string;
  /** The value if none is given. The help shows it, but not for a switch. */
  readonly default?: unknown;
  /** What happens if no value is given and there is no default. The help shows it, unless it is "none". */
  readonly unset?: string;
  /** The value is a list, and the flag may be repeated. */
  readonly repeatable?: true;
  /** The flag that this one is short for, and the text for it. If this flag has a value, the value follows the text. */
  readonly shorthand?: readonly [flag: string, text: string];
  /** The commands that take it; by default those that run a proxy. */
  readonly commands?: readonly CommandName[];
  /** What separates several values in the variable; by default that of the flag it is short for, or a comma. */
  readonly separator?: string;
  /** False for an option without a variable: a question about the program, such as --version. */
  readonly environment?: false;
  /** The option of the library that it stands for, such as `timeouts.connect`. */
  readonly setting?: string;
  /**
   * Whether a reload takes a new value, or reads the named file again. Otherwise a new value needs a restart. Given for
   * every option of a running proxy.
   */
  readonly reload?: boolean;
}

/** The rows of an interface of options: each row stands for one member, and says what a reload does. */
export type OptionsOf<Path extends string> = Readonly<
  Record<string, Option & { readonly setting: Path; readonly reload: boolean }>
>;

/** The rows of one subject. A row stands for an option of the library, or only commands take it. */
export type OptionsFor<Path extends string> = Readonly<
  Record<
    string,
    Option & ({ readonly setting: Path; readonly reload: boolean } | { readonly setting?: never })
  >
>;

/** The defaults of rows, under the names of the members that the rows stand for. */
export type Defaults<Rows, Prefix extends string = ""> = {
  readonly [
    Name in keyof Rows as Rows[Name] extends { readonly setting: `${Prefix}${infer Member}` } ? Member : never
  ]: Rows[Name] extends { readonly default: infer Value } ? Value : undefined;
};

/** Collects the defaults. If a row is missing, the result does not fit the interface, and the code does not compile. */
export function defaultsOf<const Rows extends Readonly<Record<string, Option>>, Prefix extends string = "">(
  rows: Rows,
  prefix = "" as Prefix,
): Defaults<Rows, Prefix> {
  const values = Object.values(rows).map((row) => [row.setting!.slice(prefix.length), row.default]);
  return Object.fromEntries(values) as Defaults<Rows, Prefix>;
}

/** The commands that take an option; undefined for all of them. */
export function commandsOf({ group, commands }: Option): readonly CommandName[] | undefined {
  return commands ?? (group === "About" ? undefined : RUNS_PROXY);
}
