/**
 * An option is one row. Its flag, its environment variable, its help, its default and its name in the library come from
 * this row.
 *
 * @module
 */

/** The headings of the help, in their order. */
export const GROUPS = [
  "Configuration",
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
export type CommandName =
  | "serve"
  | "remote"
  | "local"
  | "keygen"
  | "check"
  | "explain"
  | "top"
  | "passwd"
  | "config"
  | "completion"
  | "man"
  | "print";

/** The commands that run a proxy. */
export const RUNS_PROXY: readonly CommandName[] = ["serve", "remote", "local"];

/** The commands that read rules. */
export const KNOWS_RULES: readonly CommandName[] = [...RUNS_PROXY, "explain"];

/** The commands that resolve names. */
export const RESOLVES: readonly CommandName[] = [...KNOWS_RULES, "check"];

/** Options of the library alone: no command takes them. */
export const LIBRARY_ONLY = [] as const;

/** A JSON Schema (draft 2020-12) of a value in a config file. */
export interface Schema {
  /** The types in JSON that the value may have. */
  readonly type: JsonType | readonly JsonType[];
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
}

/** A type in JSON. */
export type JsonType = "string" | "number" | "integer" | "boolean";

/** A kind of value: how people write it, and what the library accepts. A row begins with one. */
export interface Kind {
  /** What stands for the value in the help; a flag without one is a switch. */
  readonly value?: string;
  /** Parses the text of a flag or variable, or throws a `UsageError`. `label` names the flag or variable. */
  readonly read: (text: string, label: string) => unknown;
  /** Writes a default for the help. Without it the help shows the value itself. */
  format?(value: unknown): string;
  /** The values of a config file. Each is turned into text, which {@linkcode Kind.read} parses. */
  readonly schema: Schema;
  /** Names the values that the library accepts, for the message to a caller who gives another. */
  readonly takes: string;
  /** Whether the library accepts a value. */
  readonly accepts: (value: unknown) => boolean;
}

/** What the texts of a config file refer to. */
export interface FileContext {
  /** The path of a file. A relative one is relative to the config file. */
  readonly path: (path: string) => string;
  /** Replaces the names of the file's upstreams in a chain. */
  readonly chain: (text: string) => string;
}

/** A key of a table in a config file. */
export interface TableKey {
  /** One sentence for the schema. */
  readonly help: string;
  readonly schema: Schema;
  /** The value may be a list. */
  readonly repeatable?: true;
}

/** How a config file gives a value as a table, such as a listener with its parameters. */
export interface TableForm {
  readonly keys: Readonly<Record<string, TableKey>>;
  /** The key that has to be there. */
  readonly required: string;
  /** Writes the text that the table stands for. */
  write(values: Readonly<Record<string, readonly string[]>>): string;
}

/** What {@linkcode Option.masked} puts in the place of a secret. */
export const MASK = "***";

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
  /** The text is a list with commas. A config file may give it as a list. */
  readonly listed?: true;
  /** How a config file gives the value as a table. */
  readonly table?: TableForm;
  /** How a config file gives all values as one table, which has a key for each: the text of an entry. */
  entry?(key: string, text: string): string;
  /** The same text for the rest of the program: the paths in it, and the names of upstreams, belong to the config file. */
  inFile?(text: string, file: FileContext): string;
  /** The text for others to see: {@linkcode MASK} is in the place of a secret. */
  masked?(text: string): string;
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

/** The commands that take an option; undefined for all of them. The command `config` takes what `serve` takes. */
export function commandsOf({ group, commands }: Option): readonly CommandName[] | undefined {
  const takers = commands ?? (group === "About" ? undefined : RUNS_PROXY);
  return takers?.includes("serve") ? [...takers, "config"] : takers;
}
