/**
 * Text from the network, made harmless for logs and the terminals that show them.
 *
 * Only printable ASCII passes, as in the logs of nginx and Apache. A newline can forge a record. So can U+0085 and
 * U+2028 in some viewers. 0x9B starts a terminal's control sequence, and U+202E turns a line around.
 *
 * @module
 */

const UNPRINTABLE = /[^\x20-\x7E]/g;
const PLAIN_WORD = /^[!#-[\]-~]*$/;
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
  // Nearly all words are plain, and to replace costs several times as much as to test.
  return PLAIN_WORD.test(text) ? text : escapeQuoted(text).replaceAll(" ", "\\x20");
}

/** The longest escape of one UTF-16 unit: `\\uNNNN`. */
const LONGEST_ESCAPE = 6;

/**
 * Cuts a text so that it takes at most `limit` bytes once it is escaped, here or by JSON; `...` marks the cut. Escapes
 * are counted at their longest, so a text full of them may be cut a little earlier.
 */
export function shorten(text: string, limit: number): string {
  if (text.length * LONGEST_ESCAPE <= limit) return text;
  let left = limit;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const plain = code > 0x20 && code <= 0x7E && code !== 0x22 && code !== 0x5C;
    left -= plain ? 1 : LONGEST_ESCAPE;
    if (left < 0) return `${cutToFit(text, i)}...`;
  }
  return text;
}

/** Cuts a text before `end`. Leaves room for the mark, and never cuts a character in half. */
function cutToFit(text: string, end: number): string {
  const cut = Math.max(0, end - "...".length);
  const code = text.charCodeAt(cut - 1);
  return text.slice(0, code >= 0xD800 && code <= 0xDBFF ? cut - 1 : cut);
}

function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  return code <= 0xFF ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}
