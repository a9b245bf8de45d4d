/**
 * From arguments and environment to options.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../usage_error.ts";
import { type Command, type CommandName, COMMANDS, DEFAULT_COMMAND } from "./commands.ts";
import { commandsOf, type Flag } from "./flag.ts";
import { environmentName, type FlagName, FLAGS } from "./flags.ts";
import { suggest } from "../suggestion.ts";

type Value<F extends Flag> = F extends { repeatable: true } ? readonly ReturnType<F["read"]>[]
  : F extends { fallback: string } ? ReturnType<F["read"]>
  : ReturnType<F["read"]> | undefined;

/** Name → what was given, or else the fallback. */
export type Options = { readonly [Name in FlagName]: Value<(typeof FLAGS)[Name]> };

/** What the program was asked to do. */
export interface CommandLine {
  readonly command: CommandName;
  /** What follows the command and is no flag. */
  readonly words: readonly string[];
  readonly options: Options;
}

/** The value of an environment variable, where there is one that may be read. */
export type Environment = (name: string) => string | undefined;

/** A text somebody gave for a flag, and the name by which they know it. */
interface Given {
  readonly text: string;
  readonly label: string;
}

const NAMES = Object.keys(FLAGS) as FlagName[];

const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/**
 * Reads the command line. The command may be left out. A flag beats its environment variable, which beats the fallback. A variable of a flag that
 * may be repeated holds several values with commas between them.
 *
 * @throws {UsageError} At the first argument or variable that cannot be used.
 */
export function parseCommandLine(
  args: readonly string[],
  environment: Environment = () => undefined,
): CommandLine {
  const { words, given } = readArguments(args);
  const command = readCommand(words[0]);
  const options: Partial<Record<FlagName, unknown>> = {};
  for (const name of NAMES) {
    const taken = commandsOf(flagOf(name))?.includes(command) ?? true;
    if (!taken && given.has(name)) {
      throw new UsageError(`The command "${command}" has no flag "${given.get(name)![0].label}": see --help`);
    }
    const texts = given.get(name) ?? (taken ? readEnvironment(name, environment) : undefined);
    options[name] = readFlag(name, texts ?? readFallback(name));
  }
  const rest = words.slice(1);
  if (!options.help) checkWords(command, rest);
  return { command, words: rest, options: options as Options };
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

function readArguments(args: readonly string[]): { words: string[]; given: Map<FlagName, Given[]> } {
  const switches = NAMES.filter((name) => flagOf(name).value === undefined);
  const parsed = parseArgs(normalize(args), {
    boolean: switches,
    string: [...NAMES.filter((name) => !switches.includes(name)), "_"],
    collect: NAMES,
    alias: Object.fromEntries(NAMES.flatMap((name) => flagOf(name).short ?? []).map(withName)),
    unknown: refuseUnknown,
  });
  const given = new Map<FlagName, Given[]>();
  for (const name of NAMES) {
    const values = parsed[name] as (string | boolean)[];
    // A switch may be thrown again and again.
    const telling = switches.includes(name) ? values.slice(-1) : values;
    for (const value of telling) give(given, { name, text: String(value) });
  }
  return { words: parsed._.map(String), given };
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

/**
 * What `parseArgs` would misread: `--flag -`, whose hyphen it takes for no value, and `--switch=nonsense` for true; and
 * what it would put out of order: flags such as --allow and --deny, which together make one list.
 */
function normalize(args: readonly string[]): string[] {
  const normal: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, name, text] = /^--([^=]+)(?:=(.*))?$/s.exec(args[i]) ?? [];
    const flag = NAMES.find((other) => other === name);
    const { value, shorthand } = flag === undefined ? {} as Partial<Flag> : flagOf(flag);
    if (value !== undefined && shorthand) {
      const given = text ?? args[++i];
      if (given === undefined || given === "" || given.startsWith("--")) {
        throw new UsageError(`The flag "--${name}" needs a value: ${value}`);
      }
      normal.push(`--${shorthand[0]}=${shorthand[1]} ${given}`);
    } else if (value !== undefined && text === undefined && args[i + 1] === "-") {
      normal.push(`--${name}=${args[++i]}`);
    } else if (flag !== undefined && value === undefined && text !== undefined) {
      normal.push(`--${name}=${readValue(flag, { text, label: `--${name}` })}`);
    } else normal.push(args[i]);
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

function readCommand(word: string | undefined): CommandName {
  if (word === undefined) return DEFAULT_COMMAND;
  const command = COMMAND_NAMES.find((name) => name === word);
  if (command !== undefined) return command;
  const meant = suggest(word, COMMAND_NAMES);
  throw new UsageError(`Unknown command "${word}": ${meant ? `did you mean "${meant}"?` : "see --help"}`);
}

function checkWords(command: CommandName, words: readonly string[]): void {
  const wanted: Command["words"] = COMMANDS[command].words;
  if (words.length < wanted.length) {
    throw new UsageError(
      `The command "${command}" needs ${wanted[words.length]}: see "sluice ${command} --help"`,
    );
  }
  if (words.length > wanted.length) {
    throw new UsageError(`Unexpected argument "${words[wanted.length]}": see "sluice ${command} --help"`);
  }
}

// --- environment and fallback ---

function readEnvironment(name: FlagName, environment: Environment): Given[] | undefined {
  const { environment: allowed = true, repeatable, shorthand, separator = "," } = flagOf(name);
  if (!allowed || shorthand) return undefined;
  const label = environmentName(name);
  const text = environment(label);
  // Set and empty is as good as not set, as with curl's and git's variables.
  if (text === undefined || text === "") return undefined;
  const texts = repeatable ? text.split(separator).map((part) => part.trim()) : [text];
  return texts.map((text) => ({ text, label }));
}

function readFallback(name: FlagName): Given[] {
  const { fallback } = flagOf(name);
  return fallback === undefined ? [] : [{ text: fallback, label: `--${name}` }];
}
