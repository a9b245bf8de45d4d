/**
 * Parses the arguments of the program into flags and words, by the table of flags.
 *
 * @module
 */

// @ts-ignore: a program elsewhere that imports mod.ts type-checks this line too, and cannot resolve the name.
import { parseArgs } from "@std/cli/parse-args";
import type { Option } from "../../settings/option.ts";
import { suggest } from "../../text/suggestion.ts";
import { UsageError } from "../../text/usage_error.ts";
import { type FlagName, FLAGS } from "./flags.ts";

/** The value of a flag as text. Messages call it by `label`, the name of the flag or of the variable. */
export interface Given {
  readonly name: FlagName;
  readonly text: string;
  readonly label: string;
}

/** The words and the flags among the arguments, each in their order. */
export interface Arguments {
  readonly words: readonly string[];
  readonly given: readonly Given[];
}

/** The names of all flags. */
export const FLAG_NAMES = Object.keys(FLAGS) as FlagName[];

/** The row of a flag. */
export function flagOf(name: FlagName): Option {
  return FLAGS[name];
}

/** Whether a flag has several values: it may be repeated, or is short for one that may. */
export function isList(name: FlagName): boolean {
  const { shorthand, value } = flagOf(name);
  return value !== undefined && (flagOf(shorthand ? shorthand[0] as FlagName : name).repeatable ?? false);
}

/** The flag that the user may have meant: it has the word as a synonym, or its name is similar. */
export function suggestFlag(word: string): FlagName | undefined {
  return FLAG_NAMES.find((name) => flagOf(name).synonyms?.includes(word)) ??
    suggest(word, FLAG_NAMES) as FlagName | undefined;
}

/**
 * Tells flags from words. A flag is `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE` or `-n=VALUE`. A switch has
 * a value only after `=`, and the letters of switches may be combined: `-hV`. All arguments after `--` are words. Only
 * names of the table are accepted: no abbreviations, no negations.
 *
 * @throws {UsageError} At a flag that is not in the table, or that lacks its value.
 */
export function readArguments(args: readonly string[]): Arguments {
  const words: string[] = [];
  const names: FlagName[] = [];
  const spelt: string[] = [];
  const rest = [...args];
  const take = (name: FlagName, attached: string | undefined): void => {
    const { value } = flagOf(name);
    const isSwitch = value === undefined;
    const text = attached ?? (isSwitch ? "true" : /^-./s.test(rest[0] ?? "") ? undefined : rest.shift());
    // For a switch with nothing after "=", this throws the message of the switch rather than "needs a value".
    if (isSwitch && text === "") readGiven({ name, text, label: `--${name}` });
    if (!text) throw new UsageError(`The flag "--${name}" needs a value: ${value}`);
    names.push(name);
    spelt.push(`--${MARK}${name}=${text}`);
  };
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      words.push(...rest.splice(0));
    } else if (arg.startsWith("--")) {
      const [, name, text] = /^--([^=]*)(?:=(.*))?$/s.exec(arg)!;
      take(findFlag(name), text);
    } else if (/^-./s.test(arg)) {
      takeLetters(arg.slice(1), take);
    } else {
      words.push(arg);
    }
  }
  return { words, given: collect(spelt, names) };
}

/** Stands before each name. Without it the parser takes `--no-proxy=LIST` for the negation of a flag `proxy`. */
const MARK = "@";

/**
 * Has the parser read flags in the one form that it cannot misread: `--name=VALUE`. Returns the values in the order of
 * the names, since flags such as --allow and --deny make one list together.
 */
function collect(spelt: readonly string[], names: readonly FlagName[]): Given[] {
  const marked = [...new Set(names)].map((name) => `${MARK}${name}`);
  const values = parseArgs(spelt, { string: marked, collect: marked }) as Record<string, string[]>;
  return names.map((name) => ({ name, text: values[`${MARK}${name}`].shift()!, label: `--${name}` }));
}

/** Takes combined one-letter flags. The first flag that needs a value takes the remaining letters as its value. */
function takeLetters(letters: string, take: (name: FlagName, attached: string | undefined) => void): void {
  for (let i = 0; i < letters.length; i++) {
    const name = findLetter(letters[i]);
    const rest = letters.slice(i + 1);
    if (rest.startsWith("=")) return take(name, rest.slice(1));
    if (flagOf(name).value !== undefined) return take(name, rest === "" ? undefined : rest);
    take(name, undefined);
  }
}

function findFlag(word: string): FlagName {
  const name = FLAG_NAMES.find((name) => name === word);
  if (name !== undefined) return name;
  const meant = suggestFlag(word);
  throw new UsageError(`Unknown flag "--${word}": ${meant ? `did you mean "--${meant}"?` : "see --help"}`);
}

function findLetter(letter: string): FlagName {
  const name = FLAG_NAMES.find((name) => flagOf(name).short === letter);
  if (name !== undefined) return name;
  const meant = FLAG_NAMES.find((name) => flagOf(name).synonyms?.includes(letter));
  throw new UsageError(`Unknown flag "-${letter}": ${meant ? `did you mean "--${meant}"?` : "see --help"}`);
}

/**
 * Replaces a shorthand with the flag that it stands for: `--verbose` with `--log-level debug`, `--deny` with `--rule`.
 * The label stays. A switch that is off is not replaced.
 */
export function spellOut(given: Given): Given {
  const { shorthand, value } = flagOf(given.name);
  if (!shorthand || (value === undefined && !readGiven(given))) return given;
  const [target, meaning] = shorthand;
  const text = value === undefined ? meaning : `${meaning} ${given.text}`;
  return { name: target as FlagName, text, label: given.label };
}

/** Parses the value. Throws a `UsageError` that begins with the label. */
export function readGiven({ name, text, label }: Given): unknown {
  try {
    return flagOf(name).read(text, label);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${label}: ${error.message}`);
  }
}
