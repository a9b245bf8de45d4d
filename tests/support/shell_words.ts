/**
 * Splits command lines in texts as a shell would.
 *
 * @module
 */

/** The words of one command, without quotes. A comment, a redirection and everything behind a pipe are left out. */
export function shellWords(command: string): string[] {
  const words: string[] = [];
  for (const [token, single, double] of command.matchAll(/'([^']*)'|"([^"]*)"|[^\s'"]+/g)) {
    if (/^(?:#|>|\||&$)/.test(token)) break;
    words.push(single ?? double ?? token);
  }
  return words;
}
