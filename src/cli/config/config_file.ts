/**
 * Reads a config file: its keys and values become flags with their texts, so that the table of options parses them.
 *
 * A key is the long name of a flag, or what the library calls the option, written with hyphens: `idle-timeout = "5m"`
 * is `idle = "5m"` under `[timeouts]`.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path";
import { maskChain, parseChain, placeChain } from "../../dialing/upstream.ts";
import {
  commandsOf,
  type FileContext,
  type JsonType,
  MASK,
  RUNS_PROXY,
  type TableForm,
} from "../../settings/option.ts";
import { suggest } from "../../text/suggestion.ts";
import { UsageError } from "../../text/usage_error.ts";
import { anyOf } from "../../text/word_list.ts";
import { FLAG_NAMES, flagOf, type Given, isList } from "../flags/arguments.ts";
import type { FlagName } from "../flags/flags.ts";
import type { Path, Position, Positions } from "./positions.ts";
import { syntaxOf } from "./syntax.ts";

/** What a config file has. */
export interface ConfigFile {
  /** The values, in the order of the file. */
  readonly given: readonly Given[];
  /** What is wrong, in lines `FILE:LINE:COLUMN: …`. The values are not parsed yet, and may be wrong, too. */
  readonly faults: readonly string[];
  /** Whether it has a password or a token in clear text. */
  readonly hasSecrets: boolean;
}

/** A table of a config file. */
type Table = Readonly<Record<string, unknown>>;

/** The key of the table that gives upstreams their names. */
export const UPSTREAMS = "upstreams";

/** The key with which a file tells editors where its JSON Schema is. The program ignores it. */
export const SCHEMA = "$schema";

/** What a key of a config file is for. A key of a table is written with a dot, such as `timeouts.idle`. */
export const KEYS: ReadonlyMap<string, FlagName> = new Map(
  FLAG_NAMES.filter(isForFiles).flatMap((name) => {
    const { setting } = flagOf(name);
    const other = setting?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return other === undefined || other === name ? [[name, name]] : [[name, name], [other, name]];
  }),
);

/** The tables that hold options, such as `timeouts`. */
export const SECTIONS: ReadonlySet<string> = new Set(
  [...KEYS.keys()].flatMap((key) => key.includes(".") ? [key.split(".")[0]] : []),
);

/** Whether a config file may have an option: those of a running proxy, but for the file itself and short forms. */
function isForFiles(name: FlagName): boolean {
  const row = flagOf(name);
  if (name === "config" || (row.shorthand && row.value === undefined)) return false;
  return commandsOf(row)?.some((command) => RUNS_PROXY.includes(command)) ?? false;
}

/** Reads the text of a config file: JSON with comments if its name ends in `.json` or `.jsonc`, and TOML otherwise. */
export async function parseConfig(text: string, name: string): Promise<ConfigFile> {
  const syntax = syntaxOf(name);
  const clean = text.replace(/^\uFEFF/, "");
  const positions = syntax.positions(clean);
  const reading = new Reading(name, positions);
  for (const path of positions.doubles) {
    reading.fault(positions.key(path), `"${path.at(-1)}" is given twice: leave one out`);
  }
  if (reading.faults.length > 0) return reading;
  try {
    const value = await syntax.parse(clean);
    if (isTable(value)) reading.file(value);
    else reading.fault(positions.value([]), "A config file is an object");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { offset, why } = syntax.fault(clean, error);
    reading.fault(positions.at(offset), why);
  }
  return reading;
}

/** The words of messages for the types of values. */
const TYPES: Readonly<Record<JsonType, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
};

/** Turns values into texts of flags, and collects what is wrong. */
class Reading implements ConfigFile, FileContext {
  readonly given: Given[] = [];
  readonly faults: string[] = [];
  hasSecrets = false;
  readonly #name: string;
  readonly #positions: Positions;
  readonly #upstreams = new Map<string, string>();
  /** The key of each option so far. */
  readonly #seen = new Map<FlagName, string>();

  constructor(name: string, positions: Positions) {
    this.#name = name;
    this.#positions = positions;
  }

  fault(position: Position, why: string): void {
    this.faults.push(`${this.#label(position)}: ${why}`);
  }

  #label({ line, column }: Position): string {
    return `${this.#name}:${line}:${column}`;
  }

  /** See `FileContext`. */
  readonly path = (path: string): string => isAbsolute(path) ? path : join(dirname(this.#name), path);

  /** See `FileContext`. A word without a dot or a colon cannot be an upstream of its own. */
  readonly chain = (text: string): string => {
    return text.split(",").map((hop) => {
      const known = this.#upstreams.get(hop.trim());
      if (known !== undefined) return known;
      if (this.#upstreams.size === 0 || !NAME.test(hop) || hop.toLowerCase() === "direct") return hop;
      const meant = suggest(hop, [...this.#upstreams.keys()]);
      throw new UsageError(
        `Unknown upstream "${hop}": ${
          meant ? `did you mean "${meant}"?` : `use one of ${anyOf([...this.#upstreams.keys()])}`
        }`,
      );
    }).join(",");
  };

  /** Reads the whole file. The upstreams come first, because other values use their names. */
  file(table: Table): void {
    if (Object.hasOwn(table, UPSTREAMS)) this.#readUpstreams(table[UPSTREAMS]);
    for (const [key, value] of Object.entries(table)) {
      if (key === UPSTREAMS || key === SCHEMA) continue;
      if (SECTIONS.has(key)) this.#readSection(key, value);
      else this.#readOption([key], value);
    }
  }

  #readUpstreams(value: unknown): void {
    if (!isTable(value)) {
      return this.fault(this.#positions.key([UPSTREAMS]), wrongType(UPSTREAMS, A_TABLE, value));
    }
    for (const [name, text] of Object.entries(value)) {
      const path = [UPSTREAMS, name];
      if (!NAME.test(name) || name.toLowerCase() === "direct") {
        this.fault(
          this.#positions.key(path),
          `Invalid name "${name}" of an upstream: use letters, digits, "-" and "_", and begin with a letter`,
        );
      } else if (typeof text !== "string") {
        this.fault(this.#positions.value(path), wrongType(name, TYPES.string, text));
      } else {
        this.#try(path, () => {
          const chain = placeChain(text, this);
          parseChain(chain);
          if (maskChain(chain) !== chain) this.hasSecrets = true;
          this.#upstreams.set(name, chain);
        });
      }
    }
  }

  #readSection(section: string, value: unknown): void {
    if (!isTable(value)) {
      return this.fault(this.#positions.key([section]), wrongType(section, A_TABLE, value));
    }
    for (const [key, member] of Object.entries(value)) this.#readOption([section, key], member);
  }

  #readOption(path: Path, value: unknown): void {
    const key = path.join(".");
    const name = KEYS.get(key);
    const position = this.#positions.key(path);
    if (name === undefined) return this.fault(position, unknownKey(path));
    const other = this.#seen.get(name);
    if (other !== undefined) {
      return this.fault(position, `"${key}" is the same option as "${other}": leave one out`);
    }
    this.#seen.set(name, key);
    this.#readValue({ path, name }, value);
  }

  #readValue({ path, name }: { readonly path: Path; readonly name: FlagName }, value: unknown): void {
    const row = flagOf(name);
    const key = String(path.at(-1));
    if (row.entry && isTable(value)) {
      const entries = Object.entries(value);
      if (entries.length === 0) this.fault(this.#positions.value(path), `"${key}" is empty: leave it out`);
      for (const [word, text] of entries) {
        const own = [...path, word];
        if (typeof text === "string") this.#give(name, own, row.entry(word, text));
        else this.fault(this.#positions.value(own), wrongType(word, TYPES.string, text));
      }
    } else if (Array.isArray(value) && value.length === 0) {
      this.fault(this.#positions.value(path), `"${key}" is empty: leave it out`);
    } else if (Array.isArray(value) && isList(name)) {
      for (const [i, item] of value.entries()) this.#readItem({ path: [...path, i], key, name }, item);
    } else if (Array.isArray(value) && row.listed && value.every((item) => typeof item === "string")) {
      this.#give(name, path, value.join(","));
    } else this.#readItem({ path, key, name }, value);
  }

  #readItem(
    { path, key, name }: { readonly path: Path; readonly key: string; readonly name: FlagName },
    value: unknown,
  ): void {
    const row = flagOf(name);
    if (row.table && isTable(value)) {
      const text = this.#tableText(row.table, path, value);
      if (text !== undefined) this.#give(name, path, text);
      return;
    }
    const types = [row.schema.type].flat();
    if (types.some((type) => isOfType(value, type))) return this.#give(name, path, String(value));
    const kinds = types.map((type) => TYPES[type]);
    if (isList(name) && path.at(-1) === key) kinds.push("a list of them");
    if (row.table || row.entry) kinds.push(A_TABLE);
    this.fault(this.#positions.value(path), wrongType(key, anyOf(kinds), value));
  }

  /** The text that a table stands for; undefined if something is wrong. */
  #tableText({ keys, required, write }: TableForm, path: Path, table: Table): string | undefined {
    const before = this.faults.length;
    const values: Record<string, string[]> = {};
    for (const [key, value] of Object.entries(table)) {
      const own = [...path, key];
      if (!Object.hasOwn(keys, key)) {
        this.fault(this.#positions.key(own), unknownWord(key, Object.keys(keys)));
        continue;
      }
      const { schema, repeatable } = keys[key];
      const types = [schema.type].flat();
      const isList = repeatable && Array.isArray(value) && value.length > 0;
      const items: readonly unknown[] = isList ? value : [value];
      if (items.every((item) => types.some((type) => isOfType(item, type)) && item !== "")) {
        values[key] = items.map(String);
      } else {
        const kinds = types.map((type) => TYPES[type]);
        if (repeatable) kinds.push("a list of them");
        this.fault(this.#positions.value(own), wrongType(key, anyOf(kinds), value));
      }
    }
    if (!Object.hasOwn(table, required)) {
      this.fault(this.#positions.value(path), `"${required}" is missing in this table`);
    }
    return this.faults.length > before ? undefined : write(values);
  }

  #give(name: FlagName, path: Path, text: string): void {
    const row = flagOf(name);
    const position = this.#positions.value(path);
    if (text.trim() === "") {
      return this.fault(
        position,
        `"${path.findLast((key) => typeof key === "string")}" is empty: leave it out`,
      );
    }
    this.#try(path, () => {
      const placed = row.inFile?.(text, this) ?? text;
      if (row.masked?.(placed).includes(MASK)) this.hasSecrets = true;
      this.given.push({ name, text: placed, label: this.#label(position) });
    });
  }

  /** Runs an action. What it says is wrong with the value becomes a fault. */
  #try(path: Path, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.fault(this.#positions.value(path), error.message);
    }
  }
}

const A_TABLE = "a table";

/** The name of an upstream. An address has a dot or a colon. */
const NAME = /^[A-Za-z][\w-]*$/;

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function isOfType(value: unknown, type: JsonType): boolean {
  const actual: string = typeof value;
  return type === "integer" ? Number.isSafeInteger(value) : actual === type;
}

/** The message does not quote the value: it may be a secret. */
function wrongType(key: string, wanted: string, value: unknown): string {
  return `"${key}" is ${wanted}, and not ${kindOf(value)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "such a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return A_TABLE;
  return typeof value === "string" ? "a text" : typeof value === "number" ? "such a number" : String(value);
}

function unknownKey(path: Path): string {
  const key = String(path.at(-1));
  if (path.length > 1) {
    const members = [...KEYS].map(([known, name]) => [known.split("."), name] as const)
      .filter(([[section]]) => section === path[0]);
    const meant = members.find(([, name]) => name === key)?.[0][1];
    return unknownWord(key, members.flatMap(([[, member = []]]) => member), meant);
  }
  const known = [...[...KEYS.keys()].filter((known) => !known.includes(".")), ...SECTIONS, UPSTREAMS];
  const spelt = key.replaceAll("_", "-").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const synonym = FLAG_NAMES.find((name) => KEYS.has(name) && flagOf(name).synonyms?.includes(key));
  return unknownWord(key, known, known.includes(spelt) ? spelt : synonym);
}

function unknownWord(word: string, known: readonly string[], better?: string): string {
  const meant = better ?? suggest(word, known);
  return `Unknown key "${word}"${meant === undefined ? "" : `: did you mean "${meant}"?`}`;
}
