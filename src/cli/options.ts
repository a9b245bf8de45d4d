/**
 * From arguments and environment to options.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../usage_error.ts";
import { environmentName, type Flag, type FlagName, FLAGS } from "./flags.ts";
import { suggest } from "./suggestion.ts";

type Value<F extends Flag> = F extends { repeatable: true } ? readonly ReturnType<F["read"]>[]
  : F extends { fallback: string } ? ReturnType<F["read"]>
  : ReturnType<F["read"]> | undefined;

/** Name → what was given, or else the fallback. */
export type Options = { readonly [Name in FlagName]: Value<(typeof FLAGS)[Name]> };

/** The value of an environment variable, where there is one that may be read. */
export type Environment = (name: string) => string | undefined;

/** A text somebody gave for a flag, and the name by which they know it. */
interface Given {
  readonly text: string;
  readonly label: string;
}

const NAMES = Object.keys(FLAGS) as FlagName[];

/** The one command there is; it may be left out. */
const COMMANDS = ["serve"];

/**
 * Reads the command line. A flag beats its environment variable, which beats the fallback. A variable of a flag that
 * may be repeated holds several values with commas between them.
 *
 * @throws {UsageError} At the first argument or variable that cannot be used.
 */
export function parseOptions(args: readonly string[], environment: Environment = () => undefined): Options {
  const given = readArguments(args);
  const options: Partial<Record<FlagName, unknown>> = {};
  for (const name of NAMES) {
    options[name] = readFlag(
      name,
      given.get(name) ?? readEnvironment(name, environment) ?? readFallback(name),
    );
  }
  return options as Options;
}

function flagOf(name: FlagName): Flag {
  return FLAGS[name];
}

function readFlag(name: FlagName, given: readonly Given[]): unknown {
  const values = given.map(({ text, label }) => readValue(name, { text, label }));
  return flagOf(name).repeatable ? values : values[0];
}

function readValue(name: FlagName, { text, label }: Given): unknown {
  try {
    return flagOf(name).read(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${label}: ${error.message}`);
  }
}

// --- arguments ---

function readArguments(args: readonly string[]): Map<FlagName, Given[]> {
  const switches = NAMES.filter((name) => flagOf(name).value === undefined);
  const parsed = parseArgs(normalize(args), {
    boolean: switches,
    string: [...NAMES.filter((name) => !switches.includes(name)), "_"],
    collect: NAMES,
    alias: Object.fromEntries(NAMES.flatMap((name) => flagOf(name).short ?? []).map(withName)),
    unknown: refuseUnknown,
  });
  refuseCommand(parsed._.map(String));
  const given = new Map<FlagName, Given[]>();
  for (const name of NAMES) {
    const values = parsed[name] as (string | boolean)[];
    // A switch may be thrown again and again.
    const telling = switches.includes(name) ? values.slice(-1) : values;
    for (const value of telling) give(given, { name, text: String(value) });
  }
  return given;
}

function withName(short: string): [name: string, short: string] {
  return [NAMES.find((name) => flagOf(name).short === short)!, short];
}

function give(given: Map<FlagName, Given[]>, { name, text }: { name: FlagName; text: string }): void {
  const { repeatable, shorthand, value } = flagOf(name);
  const label = `--${name}`;
  if (value !== undefined && text === "") throw new UsageError(`The flag "${label}" needs a value: ${value}`);
  if (shorthand && text === "true") {
    const [target, meaning] = shorthand;
    return add(given, { name: target as FlagName, text: meaning, label });
  }
  add(given, { name, text, label, repeatable });
}

function add(
  given: Map<FlagName, Given[]>,
  { name, repeatable, ...what }: Given & { name: FlagName; repeatable?: boolean },
): void {
  const others = given.get(name) ?? [];
  const [other] = others;
  if (other && !repeatable) {
    throw new UsageError(
      other.label === what.label
        ? `The flag "${what.label}" is given twice: leave one out`
        : `The flags "${other.label}" and "${what.label}" exclude each other: leave one out`,
    );
  }
  given.set(name, [...others, what]);
}

/** What `parseArgs` would misread: `--flag -`, whose hyphen it takes for no value, and `--switch=nonsense` for true. */
function normalize(args: readonly string[]): string[] {
  const normal: string[] = [];
  for (const arg of args) {
    const before = normal.at(-1)?.slice("--".length) ?? "";
    if (arg === "-" && NAMES.some((name) => name === before && flagOf(name).value !== undefined)) {
      normal[normal.length - 1] += "=-";
      continue;
    }
    const [, name, text] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    const flag = NAMES.find((other) => other === name);
    const isSwitch = flag !== undefined && flagOf(flag).value === undefined;
    normal.push(isSwitch ? `--${name}=${readValue(flag, { text, label: `--${name}` })}` : arg);
  }
  return normal;
}

/** Called by `parseArgs` for what is not in the table: with a key if it is a flag, without if it is a word. */
function refuseUnknown(arg: string, key?: string): boolean {
  if (key === undefined) return true;
  const long = arg.startsWith("--");
  const meant = long ? suggest(key, NAMES) : undefined;
  throw new UsageError(
    `Unknown flag "${long ? "--" : "-"}${key}": ${meant ? `did you mean "--${meant}"?` : "see --help"}`,
  );
}

function refuseCommand([command, ...more]: readonly string[]): void {
  const unexpected = command === undefined || COMMANDS.includes(command) ? more[0] : command;
  if (unexpected === undefined) return;
  const meant = suggest(unexpected, COMMANDS);
  throw new UsageError(
    `Unknown command "${unexpected}": ${meant ? `did you mean "${meant}"?` : "see --help"}`,
  );
}

// --- environment and fallback ---

function readEnvironment(name: FlagName, environment: Environment): Given[] | undefined {
  const { environment: allowed = true, repeatable, shorthand } = flagOf(name);
  if (!allowed || shorthand) return undefined;
  const label = environmentName(name);
  const text = environment(label);
  // Set and empty is as good as not set, as with curl's and git's variables.
  if (text === undefined || text === "") return undefined;
  const texts = repeatable ? text.split(",").map((part) => part.trim()) : [text];
  return texts.map((text) => ({ text, label }));
}

function readFallback(name: FlagName): Given[] {
  const { fallback } = flagOf(name);
  return fallback === undefined ? [] : [{ text: fallback, label: `--${name}` }];
}
