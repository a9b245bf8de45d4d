/**
 * The two languages of config files: TOML, and JSON with comments.
 *
 * @module
 */

import { type Positions, positionsInJson, positionsInToml } from "./positions.ts";

/** Where the parser has stopped, and why. What it quotes is left out, since it may be a secret. */
export interface SyntaxFault {
  readonly offset: number;
  readonly why: string;
}

/** A language. Its parser is loaded when there is a file to read. */
export interface Syntax {
  /** Parses a text. Rejects with a `SyntaxError` if it is not of this language. */
  readonly parse: (text: string) => Promise<unknown>;
  /** Finds keys and values in the text. */
  readonly positions: (text: string) => Positions;
  /** What the error of the parser means. */
  readonly fault: (text: string, error: SyntaxError) => SyntaxFault;
}

/** The language of a file: JSON with comments if its name ends in `.json` or `.jsonc`, and TOML otherwise. */
export function syntaxOf(name: string): Syntax {
  return /\.jsonc?$/i.test(name)
    ? { parse: parseJson, positions: positionsInJson, fault: jsonFault }
    : { parse: parseToml, positions: positionsInToml, fault: tomlFault };
}

async function parseToml(text: string): Promise<unknown> {
  // @ts-ignore: a program elsewhere that imports mod.ts type-checks this line too, and cannot resolve the name.
  const { parse } = await import("@std/toml/parse");
  return parse(text);
}

async function parseJson(text: string): Promise<unknown> {
  // @ts-ignore: see above.
  const { parse } = await import("@std/jsonc/parse");
  return parse(text);
}

function tomlFault(text: string, { message }: SyntaxError): SyntaxFault {
  const [, line, column] = /line (\d+), column (\d+)/.exec(message) ?? [];
  const before = text.split("\n").slice(0, Number(line) - 1);
  const stopped = before.reduce((sum, { length }) => sum + length + 1, 0) + Number(column);
  const why = message.replace(/^(?:Parse error on line \d+, column \d+: )+/, "").replace(/ on line '.*/s, "")
    .replace(/ ?(?:at position '|:\n).*/s, "").replace(/: "[^]"$/, "");
  // The parser stops behind white space and line ends.
  return { offset: text.slice(0, stopped).trimEnd().length, why: `This is no TOML: ${inWords(why)}` };
}

function jsonFault(text: string, { message }: SyntaxError): SyntaxFault {
  const position = /at position (\d+)/.exec(message)?.[1];
  const offset = position === undefined ? text.trimEnd().length : Number(position);
  const what = position === undefined ? "it ends too early" : "something else is expected here";
  return { offset, why: `This is no JSON: ${what}` };
}

function inWords(why: string): string {
  return why.charAt(0).toLowerCase() + why.slice(1);
}
