/**
 * Text from the network, made harmless for logs and the terminals that show them.
 *
 * Only printable ASCII passes, as in the logs of nginx and Apache. Newlines forge records, but so do U+0085 and
 * U+2028 in some viewers; 0x9B starts a terminal's control sequence, and U+202E turns a line around.
 *
 * @module
 */

const UNPRINTABLE = /[^\x20-\x7E]/g;
const SPECIAL = /[^\x20-\x7E]|["\\]/g;

/** Escapes all but printable ASCII, as `\xNN`, or `\uNNNN` beyond 0xFF. For messages of our own. */
export function escapeMessage(text: string): string {
  return text.replace(UNPRINTABLE, escapeUnit);
}

/** Escapes quotes and backslashes too, so that the text can stand in quotes and be read back. */
export function escapeQuoted(text: string): string {
  return text.replace(SPECIAL, escapeUnit);
}

/** Escapes spaces too, so that the text is one word. */
export function escapeWord(text: string): string {
  return escapeQuoted(text).replaceAll(" ", "\\x20");
}

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  return code <= 0xFF ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}
