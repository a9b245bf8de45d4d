/**
 * The program: reads the command line, runs the command, and exits with its code.
 *
 * @module
 */

import process from "node:process";
import { detectRuntime } from "../detect_runtime.ts";
import type { Runtime } from "../runtime/contract.ts";
import { VERSION } from "../version.ts";
import { check } from "./check/check.ts";
import { top } from "./top/top.ts";
import { config } from "./config_command/config_command.ts";
import type { CommandName } from "../settings/option.ts";
import { explain } from "./explain.ts";
import { formatHelp } from "./help/command_help.ts";
import { formatTopic, readTopic } from "./help/topic_help.ts";
import { type CommandLine, flagsOf, parseCommandLine } from "./flags/options.ts";
import { keygen } from "./keygen.ts";
import { completion } from "./packaging/completion.ts";
import { man } from "./packaging/man.ts";
import { print } from "./packaging/print.ts";
import { passwd } from "./passwd.ts";
import { serve } from "./serve.ts";
import { EXIT_CODES, Shell } from "./program/shell.ts";
import { describeUnread, refuseUnknownVariables } from "./flags/variables.ts";

/** The function of each command. Its promise settles with the exit code. */
const RUN: Record<CommandName, (line: CommandLine, shell: Shell, runtime: Runtime) => Promise<number>> = {
  serve,
  remote: serve,
  local: serve,
  keygen,
  check,
  explain,
  passwd,
  top,
  config,
  completion,
  man,
  print,
};

/** Runs the program with the arguments of the process, then ends the process. */
export function main(): void {
  const shell = new Shell();
  process.on("uncaughtException", (error) => shell.fail(error));
  process.on("unhandledRejection", (error) => shell.fail(error));
  run(ownArguments(process.argv), shell).then((code) => shell.exit(code), (error) => shell.fail(error));
}

/**
 * The arguments behind the program. In an executable that has the program inside, a worker of node:cluster finds the path
 * of the program twice: cluster gives it to the executable, as it must to a runtime.
 */
export function ownArguments([, program, ...args]: readonly string[]): readonly string[] {
  return args[0] === program ? args.slice(1) : args;
}

async function run(args: readonly string[], shell: Shell): Promise<number> {
  const topic = readTopic(args);
  if (topic !== undefined) {
    shell.print(await formatTopic(topic));
    return EXIT_CODES.done;
  }
  const runtime = await detectRuntime();
  const line = parseCommandLine(args, (name) => runtime.environment(name));
  const { command, options } = line;
  if (options.help || options.version) {
    shell.print(options.help ? formatHelp(command) : `sluice ${VERSION}`);
    return EXIT_CODES.done;
  }
  refuseUnknownVariables(runtime);
  shell.log.level = options["log-level"];
  shell.note = describeUnread(runtime, flagsOf(command));
  const code = await RUN[command](line, shell, runtime);
  shell.tellNote();
  return code;
}
