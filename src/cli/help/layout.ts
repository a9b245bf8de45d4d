/**
 * Lays out texts for a terminal.
 *
 * @module
 */

/** The width of the text, in columns. */
export const WIDTH = 80;

/** The column at which the meanings of flags begin. */
export const INDENT = 30;

/** Breaks a paragraph into lines. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines[lines.length - 1];
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A term and its meaning, side by side. A term that is too long gets the first line to itself. */
export function formatTerm(
  [term, meaning]: readonly [term: string, meaning: string],
  indent: number,
): string[] {
  const lines = wrap(meaning, WIDTH - indent);
  const name = `  ${term}`;
  const first = name.length + 2 <= indent ? [name.padEnd(indent) + lines.shift()] : [name];
  return [...first, ...lines.map((line) => " ".repeat(indent) + line)];
}
