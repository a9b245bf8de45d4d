/**
 * The arguments of the program: flags and words, as the table of flags spells them.
 *
 * @module
 */

// @ts-ignore: a program elsewhere that imports mod.ts is checked with this line, and cannot know the name.
import { parseArgs } from "@std/cli/parse-args";
import type { Option } from "../../settings/option.ts";
import { suggest } from "../../text/suggestion.ts";
import { UsageError } from "../../text/usage_error.ts";
import { type FlagName, FLAGS } from "./flags.ts";

/** The value of a flag as text, and the name that messages about it use: the flag's or the variable's. */
export interface Given {
  readonly name: FlagName;
  readonly text: string;
  readonly label: string;
}

/** What the arguments are, each kind in its order. */
export interface Arguments {
  readonly words: readonly string[];
  readonly given: readonly Given[];
}

/** Every name of the table. */
export const FLAG_NAMES = Object.keys(FLAGS) as FlagName[];

/** The row of a flag. */
export function flagOf(name: FlagName): Option {
  return FLAGS[name];
}

/** The flag that somebody may have meant: one that is found under this word, or that is spelt almost so. */
export function suggestFlag(word: string): FlagName | undefined {
  return FLAG_NAMES.find((name) => flagOf(name).synonyms?.includes(word)) ??
    suggest(word, FLAG_NAMES) as FlagName | undefined;
}

/**
 * Tells flags from words. A flag is `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE` or `-n=VALUE`. A switch has
 * a value only behind `=`, and single letters of switches may stand together: `-hV`. What follows `--` is words. The
 * table alone says which names there are: nothing is abbreviated, negated or made up.
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
    // The parser would not know a switch with nothing behind its "=": this tells what is wrong with it.
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

/** Before each name, since the parser takes `--no-proxy=LIST` for the negation of a flag that is called `proxy`. */
const MARK = "@";

/**
 * Has the parser read what is spelt in the one way that it cannot misread, `--name=VALUE`, and tells the values in the order in
 * which the names were given: flags such as --allow and --deny together make one list.
 */
function collect(spelt: readonly string[], names: readonly FlagName[]): Given[] {
  const marked = [...new Set(names)].map((name) => `${MARK}${name}`);
  const values = parseArgs(spelt, { string: marked, collect: marked }) as Record<string, string[]>;
  return names.map((name) => ({ name, text: values[`${MARK}${name}`].shift()!, label: `--${name}` }));
}

/** Takes one-letter flags that stand together. The first that has a value takes what follows it. */
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
 * Puts the flag itself in place of one that is short for it: `--log-level debug` for `--verbose`, and `--rule` for
 * `--deny`. The label stays. A switch that is off stands for nothing else.
 */
export function spellOut(given: Given): Given {
  const { shorthand, value } = flagOf(given.name);
  if (!shorthand || (value === undefined && !readGiven(given))) return given;
  const [target, meaning] = shorthand;
  const text = value === undefined ? meaning : `${meaning} ${given.text}`;
  return { name: target as FlagName, text, label: given.label };
}

/** Understands the value; its `UsageError` begins with the label. */
export function readGiven({ name, text, label }: Given): unknown {
  try {
    return flagOf(name).read(text, label);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${label}: ${error.message}`);
  }
}
