/**
 * Makes options from arguments and environment variables.
 *
 * @module
 */

import { type CommandName, commandsOf, type Option, RUNS_PROXY } from "../../settings/option.ts";
import { suggest } from "../../text/suggestion.ts";
import { UsageError } from "../../text/usage_error.ts";
import { anyOf } from "../../text/word_list.ts";
import {
  type Arguments,
  FLAG_NAMES,
  flagOf,
  type Given,
  readArguments,
  readGiven,
  spellOut,
} from "./arguments.ts";
import { type Command, COMMANDS, DEFAULT_COMMAND } from "./commands.ts";
import type { FlagName, FLAGS } from "./flags.ts";
import { type Environment, readVariables } from "./variables.ts";

type Value<Row extends Option> = Row extends { repeatable: true } ? readonly ReturnType<Row["read"]>[]
  : Row extends { default: unknown } ? ReturnType<Row["read"]>
  : ReturnType<Row["read"]> | undefined;

/** Name → the given value, or else the default. */
export type Options = { readonly [Name in FlagName]: Value<(typeof FLAGS)[Name]> };

export type { Environment };

/** What the program was asked to do. */
export interface CommandLine {
  readonly command: CommandName;
  /** The words after the command. */
  readonly words: readonly string[];
  /** The values in force of flags, variables and, after {@linkcode addLayer}, the config file. */
  readonly given: readonly Given[];
  readonly options: Options;
}

const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/** Flags that may also be written as the first word, such as `sluice help explain`. */
const ABOUT = FLAG_NAMES.filter((name) => flagOf(name).group === "About");

/**
 * Reads the command line. The command may be left out. A flag beats its variable, and a variable beats the default.
 * `--quiet` also beats `SLUICE_LOG_LEVEL`, since both set the level of the log. The flags `--rule`, `--deny`, `--allow`
 * and `--route` make one list together, and each beats only its own variable. The list has the values of the flags in
 * their order, then those of the other variables in the order of the table. {@linkcode addLayer} adds a config file.
 *
 * @throws {UsageError} At the first unknown argument, or with a line for each value that cannot be used.
 */
export function parseCommandLine(
  args: readonly string[],
  environment: Environment = () => undefined,
): CommandLine {
  const { words, given } = liftAbout(readArguments(args));
  const command = readCommand(words[0]);
  const names = flagsOf(command);
  const foreign = given.find(({ name }) => !names.includes(name));
  if (foreign) throw new UsageError(`The command "${command}" has no flag "${foreign.label}": see --help`);
  const isAbout = given.some((one) => ABOUT.includes(one.name) && readGiven(one));
  const variables = isAbout ? [] : readVariables(environment, names);
  const all = joinLayers(given, variables);
  const options = readOptions(all);
  const rest = words.slice(1);
  if (!options.help) checkWords(command, rest);
  return { command, words: rest, given: all, options };
}

/** The values of a layer behind the flags and variables: a config file. */
export interface Layer {
  readonly given: readonly Given[];
  /** What is known to be wrong in it. */
  readonly faults: readonly string[];
}

/**
 * Adds a layer behind the flags and the variables. A proxy has to know all of its options; other commands leave out what
 * they do not take.
 *
 * @throws {UsageError} With a line for each value of the layer that cannot be used.
 */
export function addLayer(line: CommandLine, { given, faults }: Layer): CommandLine {
  const { command } = line;
  const names = flagsOf(command);
  const foreign = given.filter(({ name }) => !names.includes(name)).map(({ name, label }) =>
    `${label}: The command "${command}" has no option "${name}"`
  );
  const all = joinLayers(line.given, given.filter(({ name }) => names.includes(name)));
  const wrong = RUNS_PROXY.includes(command) ? [...faults, ...foreign] : faults;
  return { ...line, given: all, options: readOptions(all, wrong) };
}

/**
 * The values in force: each value of the first layer, and those of the second that no value of the first one beats. The
 * flags that make one list together, such as --deny and --allow, each beat only themselves.
 */
function joinLayers(first: readonly Given[], second: readonly Given[]): readonly Given[] {
  const isBeaten = (one: Given): boolean => {
    const { name } = spellOut(one);
    const isList = flagOf(name).repeatable ?? false;
    return isList
      ? first.some(({ name }) => name === one.name)
      : first.some((other) => spellOut(other).name === name);
  };
  return [...first, ...second.filter((one) => !isBeaten(one))];
}

/** Parses all values. Throws a `UsageError` with a line for each that cannot be used, behind `faults`. */
function readOptions(given: readonly Given[], faults: readonly string[] = []): Options {
  const texts = joinGiven(given);
  const wrong = [...faults];
  const options: Partial<Record<FlagName, unknown>> = {};
  for (const name of FLAG_NAMES) options[name] = readFlag(name, texts.get(name), wrong);
  if (wrong.length > 0) throw new UsageError(wrong.sort(byPlace).join("\n"));
  return options as Options;
}

/** Compares the numbers in texts as numbers: line 3 comes before line 12. */
function byPlace(one: string, other: string): number {
  return one.localeCompare(other, "en", { numeric: true });
}

/** The flags that a command takes, in the order of the table. */
export function flagsOf(command: CommandName): readonly FlagName[] {
  return FLAG_NAMES.filter((name) => commandsOf(flagOf(name))?.includes(command) ?? true);
}

/** Turns a first word such as `help` into the flag of that name. */
function liftAbout({ words, given }: Arguments): Arguments {
  const name = ABOUT.find((name) => name === words[0]);
  if (name === undefined) return { words, given };
  return { words: words.slice(1), given: [...given, { name, text: "true", label: `--${name}` }] };
}

/** The given values of each flag. Throws a `UsageError` if a flag that takes one value got several. */
function joinGiven(given: readonly Given[]): Map<FlagName, Given[]> {
  const joined = new Map<FlagName, Given[]>();
  const last = new Map(given.map((one) => [one.name, one]));
  for (const one of given) {
    const spelt = spellOut(one);
    // A switch may be given several times; the last one counts.
    if (flagOf(one.name).value === undefined && (readGiven(one), last.get(one.name) !== one)) continue;
    const others = joined.get(spelt.name);
    if (others && !flagOf(spelt.name).repeatable) refuseBoth(others[0].label, one.label);
    if (others) others.push(spelt);
    else joined.set(spelt.name, [spelt]);
  }
  return joined;
}

function refuseBoth(label: string, other: string): never {
  const kind = label.startsWith("--") ? "flag" : "variable";
  throw new UsageError(
    label === other
      ? `The ${kind} "${label}" is given twice: leave one out`
      : `The ${kind}s "${label}" and "${other}" exclude each other: leave one out`,
  );
}

/** Parses the values of a flag, and adds to `faults` what is wrong. */
function readFlag(name: FlagName, given: readonly Given[] | undefined, faults: string[]): unknown {
  const { repeatable, default: otherwise = repeatable && [] } = flagOf(name);
  if (!given) return otherwise;
  const values = given.map((one) => {
    try {
      return readGiven(one);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      faults.push(error.message);
    }
  });
  return repeatable ? values : values[0];
}

function readCommand(word: string | undefined): CommandName {
  if (word === undefined) return DEFAULT_COMMAND;
  const command = COMMAND_NAMES.find((name) => name === word);
  if (command !== undefined) return command;
  const meant = suggest(word, [...COMMAND_NAMES, ...ABOUT]);
  throw new UsageError(`Unknown command "${word}": ${meant ? `did you mean "${meant}"?` : "see --help"}`);
}

function checkWords(command: CommandName, words: readonly string[]): void {
  const { words: wanted, optional = [], choices }: Command = COMMANDS[command];
  if (words.length < wanted.length) {
    throw new UsageError(
      `The command "${command}" needs ${wanted[words.length]}: see "sluice ${command} --help"`,
    );
  }
  const most = wanted.length + optional.length;
  if (words.length > most) {
    throw new UsageError(`Unexpected argument "${words[most]}": see "sluice ${command} --help"`);
  }
  if (!choices || choices.includes(words[0])) return;
  const meant = suggest(words[0], choices);
  throw new UsageError(
    `Unknown word "${words[0]}" behind "${command}": ${
      meant ? `did you mean "${meant}"?` : `use ${anyOf(choices)}`
    }`,
  );
}
