/**
 * Finds where the keys and values of a config file stand. The parsers of TOML and JSON tell no positions.
 *
 * @module
 */

/** The keys and indices that lead to a value. */
export type Path = readonly (string | number)[];

/** A place in a text. Both numbers count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where the keys and values of a text stand. */
export class Positions {
  /** The keys that are given a second time. The parsers take the last value without a word. */
  readonly doubles: Path[] = [];
  /** The offset of each line. */
  readonly #lines: readonly number[];
  readonly #keys = new Map<string, number>();
  readonly #values = new Map<string, number>();

  /** Knows no key yet. */
  constructor(text: string) {
    this.#lines = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  /** The position of an offset. */
  at(offset: number): Position {
    let [low, high] = [0, this.#lines.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#lines[middle] <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - this.#lines[low] + 1 };
  }

  /** Notes where a key stands. */
  addKey(path: Path, offset: number): void {
    if (this.#keys.has(nameOf(path))) this.doubles.push(path);
    this.#keys.set(nameOf(path), offset);
  }

  /** Notes where a value begins. */
  addValue(path: Path, offset: number): void {
    this.#values.set(nameOf(path), offset);
  }

  /** The position of a key, or else of what is around it. */
  key(path: Path): Position {
    return this.#find(path, [this.#keys, this.#values]);
  }

  /** The position of a value, or else of its key, or of what is around it. */
  value(path: Path): Position {
    return this.#find(path, [this.#values, this.#keys]);
  }

  #find(path: Path, [first, second]: readonly ReadonlyMap<string, number>[]): Position {
    const name = nameOf(path);
    const offset = first.get(name) ?? second.get(name);
    if (offset !== undefined) return this.at(offset);
    return path.length === 0 ? { line: 1, column: 1 } : this.#find(path.slice(0, -1), [first, second]);
  }
}

function nameOf(path: Path): string {
  return JSON.stringify(path);
}

/** How the two languages differ. */
interface Grammar {
  readonly comment: RegExp;
  readonly separator: RegExp;
}

const TOML: Grammar = { comment: /#[^\n]*/y, separator: /=/y };
const JSONC: Grammar = { comment: /\/\/[^\n]*|\/\*[^]*?\*\//y, separator: /:/y };

const STRING = /"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
/** A number, a date or a word. */
const SCALAR = /[^\s,\[\]{}#"'][^,\]}#\n]*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;

/** The text is not what it should be here. The parser says why. */
class Stop extends Error {}

/** Finds the positions in a text of TOML. It stops where the text is no TOML. */
export function positionsInToml(text: string): Positions {
  return new Finder(text, TOML).find((finder) => finder.document());
}

/** Finds the positions in a text of JSON with comments. It stops where the text is no such JSON. */
export function positionsInJson(text: string): Positions {
  return new Finder(text, JSONC).find((finder) => finder.value([]));
}

class Finder {
  readonly #text: string;
  readonly #grammar: Grammar;
  readonly #found: Positions;
  /** Array of tables → how many tables it has so far. */
  readonly #lengths = new Map<string, number>();
  #at = 0;

  constructor(text: string, grammar: Grammar) {
    this.#text = text;
    this.#grammar = grammar;
    this.#found = new Positions(text);
  }

  find(search: (finder: Finder) => void): Positions {
    try {
      search(this);
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
    return this.#found;
  }

  /** A document of TOML: tables with their headers, and keys with their values. */
  document(): void {
    let table: Path = [];
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      if (this.#takes(/\[\[/y)) table = this.#header(/\]\]/y, true);
      else if (this.#takes(/\[/y)) table = this.#header(/\]/y, false);
      else this.#entry(table);
    }
  }

  #header(end: RegExp, isArray: boolean): Path {
    this.#skip();
    const start = this.#at;
    const keys = this.#dottedKey();
    this.#take(end);
    const last = keys.length - 1;
    let path: Path = [];
    for (const [i, key] of keys.entries()) {
      path = [...path, key];
      const name = nameOf(path);
      if (isArray && i === last) this.#lengths.set(name, (this.#lengths.get(name) ?? 0) + 1);
      const length = this.#lengths.get(name);
      if (length !== undefined) path = [...path, length - 1];
    }
    this.#found.addKey(path, start);
    return path;
  }

  /** A key and its value. The keys before the last one of a dotted key are tables. */
  #entry(table: Path): void {
    const start = this.#at;
    const path = [...table, ...this.#dottedKey()];
    this.#found.addKey(path, start);
    this.#skip();
    this.#take(this.#grammar.separator);
    this.#skip();
    this.value(path);
  }

  value(path: Path): void {
    this.#skip();
    this.#found.addValue(path, this.#at);
    if (this.#takes(/\[/y)) {
      for (let i = 0; !this.#ends(/\]/y); i++) {
        this.value([...path, i]);
        this.#comma(/\]/y);
      }
    } else if (this.#takes(/\{/y)) {
      while (!this.#ends(/\}/y)) {
        this.#entry(path);
        this.#comma(/\}/y);
      }
    } else if (!this.#takes(STRING)) this.#take(SCALAR);
  }

  /** Whether a list ends here; then its end is taken. */
  #ends(end: RegExp): boolean {
    this.#skip();
    return this.#takes(end);
  }

  /** Takes the comma behind an item, unless the list ends here. */
  #comma(end: RegExp): void {
    this.#skip();
    const here = this.#at;
    if (this.#takes(end)) this.#at = here;
    else this.#take(/,/y);
  }

  #dottedKey(): string[] {
    const keys: string[] = [];
    do {
      this.#takes(/[ \t]+/y);
      const key = this.#match(STRING) ?? this.#take(BARE_KEY);
      keys.push(unquoted(key));
      this.#takes(/[ \t]+/y);
    } while (this.#takes(/\./y));
    return keys;
  }

  /** Skips white space and comments. */
  #skip(): void {
    while (this.#takes(/\s+/y) || this.#takes(this.#grammar.comment));
  }

  #takes(pattern: RegExp): boolean {
    return this.#match(pattern) !== undefined;
  }

  #take(pattern: RegExp): string {
    const text = this.#match(pattern);
    if (text === undefined) throw new Stop();
    return text;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0];
    if (text !== undefined) this.#at += text.length;
    return text;
  }
}

function unquoted(key: string): string {
  if (key.startsWith("'")) return key.slice(1, -1);
  if (!key.startsWith('"')) return key;
  try {
    return JSON.parse(key);
  } catch {
    // TOML also has \UXXXXXXXX, which nobody needs for the key of an option.
    return key.slice(1, -1);
  }
}
