/**
 * `sluice help TOPIC`: finds the page of a topic, and formats it for a terminal.
 *
 * @module
 */

import { suggest } from "../../text/suggestion.ts";
import { UsageError } from "../../text/usage_error.ts";
import type { Group, Option } from "../../settings/option.ts";
import { COMMANDS } from "../flags/commands.ts";
import { FLAGS } from "../flags/flags.ts";
import { formatFlag } from "./command_help.ts";
import { formatTerm, WIDTH, wrap } from "./layout.ts";
import type { Page, Part } from "./pages/page.ts";
import { TOPICS } from "./topics.ts";

/**
 * The topic of the arguments `help TOPIC`. Undefined for other arguments, such as `help COMMAND`.
 *
 * @throws {UsageError} If the word is neither a topic nor a command.
 */
export function readTopic(args: readonly string[]): string | undefined {
  const [help, word, ...rest] = args;
  if (help !== "help" || word === undefined || word.startsWith("-")) return undefined;
  if (!Object.hasOwn(TOPICS, word)) {
    if (Object.hasOwn(COMMANDS, word)) return undefined;
    const meant = suggest(word, [...Object.keys(TOPICS), ...Object.keys(COMMANDS)]);
    throw new UsageError(
      `Unknown topic "${word}": ${meant ? `did you mean "${meant}"?` : 'see "sluice help"'}`,
    );
  }
  if (rest.length > 0) throw new UsageError(`Unexpected argument "${rest[0]}": give one topic`);
  return word;
}

/** The page of a topic, without its last newline. */
export async function formatTopic(name: string): Promise<string> {
  const { summary, load } = TOPICS[name];
  const { page } = await load();
  return formatPage(`sluice help ${name} - ${summary}`, page);
}

/** The longest term that shares a line with its meaning. Longer terms get a line to themselves. */
const MAX_TERM = 26;

/** The page as plain text, without the last newline. */
export function formatPage(title: string, { parts, groups = [] }: Page): string {
  return [
    title,
    ...parts.map(formatPart),
    ...groups.map((group) => ["OPTIONS", "", ...formatOptions(group)].join("\n")),
  ].join("\n\n");
}

function formatPart(part: Part): string {
  if (typeof part === "string") return wrap(part, WIDTH).join("\n");
  if ("heading" in part) return part.heading.toUpperCase();
  if ("lines" in part) return part.lines.split("\n").map((line) => line === "" ? "" : `  ${line}`).join("\n");
  const lengths = part.terms.map(([term]) => term.length).filter((length) => length <= MAX_TERM);
  const indent = Math.max(0, ...lengths) + 4;
  return part.terms.flatMap((term) => formatTerm(term, indent)).join("\n");
}

function formatOptions(group: Group): string[] {
  return Object.entries<Option>(FLAGS)
    .filter(([, option]) => option.group === group)
    .flatMap(([name, option]) => formatFlag(name, option));
}
