/**
 * Formats the text of `--help`.
 *
 * @module
 */

import { type CommandName, commandsOf, type Option } from "../../settings/option.ts";
import { type Command, COMMANDS, DEFAULT_COMMAND } from "../flags/commands.ts";
import { FLAGS } from "../flags/flags.ts";
import { formatTerm, INDENT } from "./layout.ts";
import { TOPICS } from "./topics.ts";

const INTRODUCTION = "sluice - a proxy for HTTP, HTTPS and SOCKS on one port";

const ENDING = `TIME is a number with ms, s, m, h or d, or a number of seconds. SIZE is a number
of bytes, or one with k or m.

Every flag can be set by an environment variable, SLUICE_IDLE_TIMEOUT=1h, and in
a config file, idle-timeout = "1h". A flag goes before its variable, and that
before the file. Deno reads variables with -E alone.

SIGINT or SIGTERM stops accepting and lets transfers finish; a second one exits
at once. Exit codes: 0 stopped when told, 1 failed, 2 wrong usage.`;

/** The help of a command, made from the tables of commands and flags, without the last newline. */
export function formatHelp(command: CommandName): string {
  const { words, optional = [], details, summary }: Command = COMMANDS[command];
  const isDefault = command === DEFAULT_COMMAND;
  const usage = [
    "sluice",
    isDefault ? `[${command}]` : command,
    "[flags]",
    ...words,
    ...optional.map((word) => `[${word}]`),
  ]
    .join(" ");
  const groups = new Map<string, string[]>();
  for (const [name, flag] of Object.entries<Option>(FLAGS)) {
    if (!(commandsOf(flag)?.includes(command) ?? true)) continue;
    const lines = groups.get(flag.group) ?? [];
    groups.set(flag.group, [...lines, ...formatFlag(name, flag)]);
  }
  return [
    isDefault ? INTRODUCTION : `sluice ${command} - ${summary}`,
    `Usage: ${usage}`,
    details,
    ...isDefault ? [formatCommands()] : [],
    ...[...groups].map(([group, lines]) => [`${group}:`, ...lines].join("\n")),
    ...isDefault ? [ENDING] : [],
  ].join("\n\n");
}

function formatCommands(): string {
  const commands = Object.entries<Command>(COMMANDS).map(([name, { words, summary }]) =>
    [[name, ...words].join(" "), summary] as const
  );
  const topics = Object.entries(TOPICS).map(([name, { summary }]) => [name, summary] as const);
  return [
    "Commands (each has a --help of its own):",
    ...commands.flatMap((row) => formatTerm(row, INDENT)),
    "",
    "Topics (sluice help TOPIC):",
    ...topics.flatMap((row) => formatTerm(row, INDENT)),
  ].join("\n");
}

/** Formats a flag and its meaning. */
export function formatFlag(name: string, option: Option): string[] {
  const { short, value, help } = option;
  const names = `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
  const otherwise = describeDefault(option);
  return formatTerm([names, otherwise ? `${help} (${otherwise})` : help], INDENT);
}

/** The default of an option, as the help shows it; undefined if the help shows none. */
export function describeDefault(option: Option): string | undefined {
  const { value, unset } = option;
  if (value === undefined) return undefined;
  if (option.default === undefined) return unset === "none" ? undefined : unset;
  return [option.default].flat().map((value) => option.format?.(value) ?? value).join(", ");
}
