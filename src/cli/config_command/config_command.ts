/**
 * `sluice config`: checks a config file, shows what is in force, and prints the schema of config files.
 *
 * @module
 */

import { configure } from "../../proxy/configuration.ts";
import { type CommandName, RUNS_PROXY } from "../../settings/option.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { TextFiles } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import { proxyOptions, readAdminSecret, readCertificates } from "../config/proxy_options.ts";
import { withConfig } from "../config/read_config.ts";
import type { Given } from "../flags/arguments.ts";
import { type CommandLine, flagsOf, parseCommandLine } from "../flags/options.ts";
import { EXIT_CODES, type Shell } from "../program/shell.ts";

/** What the first word asks for. */
const ACTIONS = { check, show, schema } as const;

/** Runs the command. */
export async function config(line: CommandLine, shell: Shell, _runtime: Runtime): Promise<number> {
  const [action, file] = line.words;
  const path = file ?? line.options.config;
  return await ACTIONS[action as keyof typeof ACTIONS](line, { shell, path });
}

interface Context {
  readonly shell: Shell;
  readonly path: string | undefined;
}

/** Prints all faults of a file. Flags and variables do not count: they could hide a fault. */
async function check(_line: CommandLine, { shell, path }: Context): Promise<number> {
  if (path === undefined) throw new UsageError("Name the file: sluice config check FILE");
  shell.note = undefined;
  const files = new TextFiles();
  const { parseConfig } = await import("../config/config_file.ts");
  try {
    const { given } = await parseConfig(await files.read(path, "the config file"), path);
    const line = parseCommandLine([commandFor(given), "--config", path]);
    // A file that was read before counts as checked, so this reads it anew.
    const { options } = await withConfig(line, new TextFiles());
    const proxy = await proxyOptions(options, files.read);
    configure(proxy);
    await readAdminSecret(options, files);
    await readCertificates(proxy, files.read);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    for (const fault of error.message.split("\n")) shell.print(fault);
    return EXIT_CODES.failed;
  }
  shell.print(`${path} is right`);
  return EXIT_CODES.done;
}

/** The command that runs a proxy with these options: `serve`, unless only a half of a pair takes them all. */
function commandFor(given: readonly Given[]): CommandName {
  return RUNS_PROXY.find((command) => given.every(({ name }) => flagsOf(command).includes(name))) ?? "serve";
}

async function show(line: CommandLine, { shell, path }: Context): Promise<number> {
  const { describeOptions } = await import("./show.ts");
  const { given } = await withConfig(path === undefined ? line : naming(path, line), new TextFiles());
  for (const row of describeOptions(given)) shell.print(row);
  return EXIT_CODES.done;
}

/** The line as it is with the flag --config. */
function naming(path: string, { given, options, ...line }: CommandLine): CommandLine {
  const others = given.filter(({ name }) => name !== "config");
  return {
    ...line,
    given: [{ name: "config", text: path, label: "--config" }, ...others],
    options: { ...options, config: path },
  };
}

async function schema(_line: CommandLine, { shell }: Context): Promise<number> {
  shell.note = undefined;
  const { configSchema } = await import("./schema.ts");
  shell.print(JSON.stringify(configSchema(), null, 2));
  return EXIT_CODES.done;
}
