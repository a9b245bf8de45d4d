/**
 * Adds the config file to the flags and variables.
 *
 * @module
 */

import { refuseShared } from "../../text/secret_files.ts";
import type { TextFiles } from "../../text/text_file.ts";
import { addLayer, type CommandLine } from "../flags/options.ts";

/**
 * The command line with the options of its config file, if it names one. The parsers are loaded only then.
 *
 * @throws {UsageError} With a line for each fault of the file, or if others can read a file that has secrets.
 */
export async function withConfig(
  line: CommandLine,
  files: Pick<TextFiles, "has" | "read">,
): Promise<CommandLine> {
  const path = line.options.config;
  if (path === undefined) return line;
  const isChecked = files.has(path);
  const text = await files.read(path, "the config file");
  const { parseConfig } = await import("./config_file.ts");
  const file = await parseConfig(text, path);
  const complete = addLayer(line, file);
  if (file.hasSecrets && !isChecked) await refuseShared(path, "the config file, which has passwords,");
  return complete;
}
