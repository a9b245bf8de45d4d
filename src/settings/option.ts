/**
 * What an option is: one row, from which its flag, its environment variable, its help, its default and its name in the
 * library are derived.
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

/** The commands that ask rules. */
export const KNOWS_RULES: readonly CommandName[] = [...RUNS_PROXY, "explain"];

/** The commands that resolve names. */
export const RESOLVES: readonly CommandName[] = [...KNOWS_RULES, "check"];

/** Options of the library alone: no command takes them. */
export const LIBRARY_ONLY = [] as const;

/** A kind of value: how people write it, and what the library takes. A row begins with one. */
export interface Kind {
  /** What stands for the value in the help; a flag without one is a switch. */
  readonly value?: string;
  /** Understands what was written as the flag or variable of the label, or throws a `UsageError`. */
  readonly read: (text: string, label: string) => unknown;
  /** Writes a default as the help shows it; as it is where left out. */
  format?(value: unknown): string;
  /** What the library takes, for the message to a caller who gives something else. */
  readonly takes: string;
  /** Whether the library takes it. */
  readonly accepts: (value: unknown) => boolean;
}

/** One option. Its key in a table is the name of its flag, without hyphens in front. */
export interface Option extends Kind {
  readonly group: Group;
  /** The one-letter name. */
  readonly short?: string;
  /** Words under which people look for it, such as those that other programs use: they are suggested it. */
  readonly synonyms?: readonly string[];
  /** One sentence or a few for the help. */
  readonly help: string;
  /** The value where none is given. The help shows it, unless it is a switch's. */
  readonly default?: unknown;
  /** What happens where no value is given and there is no default: the help shows it, unless it is "none". */
  readonly unset?: string;
  /** It has a list of values, and its flag may be repeated. */
  readonly repeatable?: true;
  /** The flag that this one is short for, and its value; of a flag with a value, what stands before that. */
  readonly shorthand?: readonly [flag: string, text: string];
  /** The commands that take it; those that run a proxy where it is left out. */
  readonly commands?: readonly CommandName[];
  /** What separates several values in the environment; that of the flag it is short for, or a comma, where left out. */
  readonly separator?: string;
  /** Whether the environment has a say; it has not in questions about the program. */
  readonly environment?: false;
  /** The option of the library that it stands for, such as `timeouts.connect`. */
  readonly setting?: string;
  /**
   * Whether a running proxy takes a new value, or for the name of a file, what is new in it. Otherwise it wants a restart.
   * Said wherever a running proxy takes the option.
   */
  readonly reload?: boolean;
}

/** The rows of an interface whose members are options of the library: each is a member's, and says what a reload does. */
export type OptionsOf<Path extends string> = Readonly<
  Record<string, Option & { readonly setting: Path; readonly reload: boolean }>
>;

/** Rows of one subject: those that stand for options of the library, and those that only commands take. */
export type OptionsFor<Path extends string> = Readonly<
  Record<
    string,
    Option & ({ readonly setting: Path; readonly reload: boolean } | { readonly setting?: never })
  >
>;

/** The defaults that rows name, by the members of the interface that they belong to. */
export type Defaults<Rows, Prefix extends string = ""> = {
  readonly [
    Name in keyof Rows as Rows[Name] extends { readonly setting: `${Prefix}${infer Member}` } ? Member : never
  ]: Rows[Name] extends { readonly default: infer Value } ? Value : undefined;
};

/** Collects the defaults. Where a row is missing, the result does not fit the interface, and does not compile. */
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
