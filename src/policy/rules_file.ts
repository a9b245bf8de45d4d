/**
 * Rules files: one rule to a line.
 *
 * @module
 */

import { suggest } from "../text/suggestion.ts";
import { UsageError } from "../text/usage_error.ts";
import { anyOf } from "../text/word_list.ts";
import { parseRule, type Rule, RULE_KINDS } from "./rule.ts";

/** How many bad lines a message lists. */
const MAX_COMPLAINTS = 10;

/**
 * Reads the text of a rules file. A line is empty, or a rule that begins with `allow`, `deny`, `route` or `limit`. A `#` at
 * its beginning or behind white space begins a comment. `name` is the name of the file, for messages.
 *
 * @throws {UsageError} If a line is invalid. The message has a line `NAME:LINE: …` for each of the first ten bad lines.
 *
 * @example
 * ```ts
 * import { createProxy, parseRules } from "sluice";
 *
 * const rules = parseRules("deny *:25 # no mail\nallow *", "rules.txt");
 * const proxy = await createProxy({ listen: "127.0.0.1:0", rules });
 * await proxy.close();
 * ```
 */
export function parseRules(text: string, name: string): Rule[] {
  const rules: Rule[] = [];
  const complaints: string[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    // A carriage return and a byte order mark are white space, too.
    const rule = (line.includes("#") ? line.replace(/(?<!\S)#.*$/s, "") : line).trim();
    if (rule === "") continue;
    try {
      rules.push(parseRuleLine(rule, name, number));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      complaints.push(`${name}:${number}: ${error.message}`);
    }
  }
  if (complaints.length === 0) return rules;
  const more = complaints.length - MAX_COMPLAINTS;
  const shown = complaints.slice(0, MAX_COMPLAINTS);
  if (more > 0) shown.push(`${name}: ${more} more ${more === 1 ? "line is" : "lines are"} invalid`);
  throw new UsageError(shown.join("\n"));
}

/**
 * Reads one rule. `source` and `line` say where it was written, for messages.
 *
 * @throws {UsageError} If it is not a rule.
 */
export function parseRuleLine(text: string, source: string, line?: number): Rule {
  const rule = text.trim();
  const end = rule.search(/\s|$/);
  const word = rule.slice(0, end);
  const kind = RULE_KINDS.find((kind) => kind === word);
  if (kind) return parseRule(kind, rule.slice(end + 1), source, line);
  const meant = suggest(word, RULE_KINDS);
  throw new UsageError(
    `A rule begins with ${anyOf(RULE_KINDS.map((kind) => `"${kind}"`))}, not with "${word}"${
      meant ? `: did you mean "${meant}"?` : ""
    }`,
  );
}
