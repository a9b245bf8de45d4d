/**
 * Checks the names and types of options: programs in JavaScript have no compiler for this.
 *
 * @module
 */

import { OPTIONS } from "../options/options.ts";
import type { Option } from "../settings/option.ts";
import { suggest } from "../text/suggestion.ts";
import { UsageError } from "../text/usage_error.ts";
import type { ProxyOptions } from "./options.ts";

/** An option of the library, as far as the checks need it. */
export type LibraryOption = Pick<Option, "takes" | "accepts" | "repeatable" | "default"> & {
  readonly reload: boolean;
};

type Rows = typeof OPTIONS;

/** The option that a row belongs to, such as `timeouts` for `timeouts.connect`. */
type Named = {
  [Name in keyof Rows]: Rows[Name] extends { readonly setting: `${infer Group}.${string}` } ? Group
    : Rows[Name] extends { readonly setting: infer Whole } ? Whole
    : never;
}[keyof Rows];

const FUNCTION = {
  takes: "a function",
  accepts: (value: unknown) => typeof value === "function",
  reload: false,
};
const OBJECT = { takes: "an object", accepts: isObject, reload: false };

/** Options that have no row of their own in the table. */
const PROGRAM_OPTIONS = {
  workers: { takes: "a number", accepts: (value) => Number.isInteger(value), reload: false },
  others: OBJECT,
  readText: { ...FUNCTION, reload: true },
  places: { ...OBJECT, reload: true },
  limitStore: OBJECT,
  route: FUNCTION,
  hosts: {
    takes: "a Map of names and lists of addresses",
    accepts: (value) => value instanceof Map,
    reload: true,
  },
  authenticate: FUNCTION,
  tokens: { takes: "a token", accepts: (value) => typeof value === "string", repeatable: true, reload: true },
  onRecord: FUNCTION,
  opentelemetry: OBJECT,
  onTransition: FUNCTION,
  onReload: FUNCTION,
  log: OBJECT,
  runtime: OBJECT,
  clock: OBJECT,
} as const satisfies Record<Exclude<keyof ProxyOptions, Named>, LibraryOption>;

/** The rows that stand for options of the library. */
const ROWS = Object.entries<Option>(OPTIONS).filter(([, { setting }]) => setting !== undefined);

/** Name, such as `timeouts.connect` → option. */
export const LIBRARY_OPTIONS: ReadonlyMap<string, LibraryOption> = new Map<string, LibraryOption>([
  ...ROWS.map(([, option]) => [option.setting!, { ...option, reload: option.reload ?? false }] as const),
  ...Object.entries(PROGRAM_OPTIONS),
]);

/** The names of objects that hold options of their own, such as `timeouts`. */
const HOLDERS = new Set(
  [...LIBRARY_OPTIONS.keys()].flatMap((name) => name.includes(".") ? name.split(".")[0] : []),
);

/** The given options by name; those of `timeouts` and `limits` one by one. An undefined option counts as not given. */
export function givenOptions(options: ProxyOptions): Map<string, unknown> {
  const entries = Object.entries(options).flatMap(([name, value]): [string, unknown][] =>
    HOLDERS.has(name) && isObject(value)
      ? Object.entries(value).map(([member, value]) => [`${name}.${member}`, value])
      : [[name, value]]
  );
  return new Map(entries.filter(([, value]) => value !== undefined));
}

/** Throws a `UsageError` for the first option that is unknown or has a value of the wrong type. */
export function checkOptions(options: ProxyOptions): void {
  if (!isObject(options)) throw new UsageError(`Invalid options: give an object, and not ${kindOf(options)}`);
  // Only messages write names with a dot. In an object of options such a name is wrong.
  const dotted = Object.keys(options).find((name) => name.includes("."));
  if (dotted !== undefined) throw new UsageError(`Unknown option "${dotted}"`);
  for (const [name, value] of givenOptions(options)) {
    if (HOLDERS.has(name)) refuse(name, "an object", value);
    const option = LIBRARY_OPTIONS.get(name);
    if (!option) throw new UsageError(`Unknown option "${name}"${adviceFor(name)}`);
    const { takes, accepts, repeatable } = option;
    const isUsable = repeatable && Array.isArray(value) ? value.every(accepts) : accepts(value);
    if (!isUsable) refuse(name, repeatable ? `${takes}, or several in an array` : takes, value);
  }
}

/** The message does not quote the value: it may be a secret. */
function refuse(name: string, takes: string, value: unknown): never {
  throw new UsageError(`Invalid option "${name}": give ${takes}, and not ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Number.isNaN(value)) return "NaN";
  if (Array.isArray(value)) return "such an array";
  if (typeof value === "function") return "a function";
  return isObject(value) ? "such an object" : `the ${typeof value} that was given`;
}

/** Suggests the option that may be meant, by its name, the name of its flag, or a synonym. */
function adviceFor(name: string): string {
  const settings = [...LIBRARY_OPTIONS.keys(), ...HOLDERS];
  const [holder] = name.split(".");
  const near = HOLDERS.has(holder)
    ? settings.filter((setting) => setting.startsWith(`${holder}.`))
    : settings;
  const row = ROWS.find(([flag, { synonyms = [] }]) => [flag, camelCase(flag), ...synonyms].includes(name));
  const meant = row?.[1].setting ?? suggest(name, near);
  return meant === undefined ? "" : `: did you mean "${meant}"?`;
}

function camelCase(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
