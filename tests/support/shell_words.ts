/**
 * Command lines in texts, taken apart as a shell would.
 *
 * @module
 */

/** The words of one command: quotes are taken off, a comment, a redirection and what is piped elsewhere left out. */
export function shellWords(command: string): string[] {
  const words: string[] = [];
  for (const [token, single, double] of command.matchAll(/'([^']*)'|"([^"]*)"|[^\s'"]+/g)) {
    if (/^(?:#|>|\||&$)/.test(token)) break;
    words.push(single ?? double ?? token);
  }
  return words;
}
