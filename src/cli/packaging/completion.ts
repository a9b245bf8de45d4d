/**
 * `sluice completion SHELL`: has a shell complete commands, flags and their values.
 *
 * @module
 */

import { type CommandName, commandsOf, type Option } from "../../settings/option.ts";
import { type Command, COMMANDS, type SHELLS } from "../flags/commands.ts";
import { FLAGS } from "../flags/flags.ts";
import type { CommandLine } from "../flags/options.ts";
import { TOPICS } from "../help/topics.ts";
import { EXIT_CODES, type Shell } from "../program/shell.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import type { Completed } from "./completed.ts";
import { zshCompletion } from "./zsh.ts";

const COMPLETIONS: Readonly<Record<typeof SHELLS[number], (completed: Completed) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Runs the command. */
// deno-lint-ignore require-await
export async function completion({ words: [name] }: CommandLine, shell: Shell): Promise<number> {
  shell.print(COMPLETIONS[name as keyof typeof COMPLETIONS](readTables()).trimEnd());
  return EXIT_CODES.done;
}

function readTables(): Completed {
  const commands = Object.entries<Command>(COMMANDS).map(([name, { summary, choices = [] }]) => ({
    name,
    summary,
    choices,
  }));
  const names = commands.map(({ name }) => name);
  return {
    commands: [...commands, {
      name: "help",
      summary: "Show the help of a command or a topic",
      choices: [...Object.keys(TOPICS), ...names],
    }],
    flags: Object.entries<Option>(FLAGS).map(([name, option]) => ({
      name,
      short: option.short,
      value: option.value,
      repeatable: option.repeatable ?? false,
      takes: option.schema.enum ?? (isPath(option) ? "files" : undefined),
      summary: summaryOf(option.help),
      commands: commandsOf(option) ?? names as CommandName[],
    })),
  };
}

function isPath({ value }: Option): boolean {
  return value === "FILE" || value === "FOLDER";
}

/** The first clause of a help: a menu has room for no more. */
function summaryOf(help: string): string {
  return /^.*?(?=[;:] |\. |$)/s.exec(help)![0];
}
