/**
 * Shows what is in force, and where it comes from.
 *
 * @module
 */

import { flagOf, type Given, spellOut } from "../flags/arguments.ts";
import type { FlagName } from "../flags/flags.ts";
import { flagsOf } from "../flags/options.ts";
import { describeDefault } from "../help/command_help.ts";
import { KEYS } from "../config/config_file.ts";

/** Lines with an option, its value and its source in columns. Secrets are masked. */
export function describeOptions(given: readonly Given[]): string[] {
  const rows = flagsOf("serve").filter((name) => !isShort(name)).flatMap((name) => rowsOf(name, given));
  const [first, second] = [0, 1].map((i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map(([name, value, source]) => `${name.padEnd(first)}  ${value.padEnd(second)}  ${source}`);
}

type Row = readonly [name: string, value: string, source: string];

/** Whether an option stands for another one, or is no option of a config file. */
function isShort(name: FlagName): boolean {
  return flagOf(name).shorthand !== undefined || (!KEYS.has(name) && name !== "config");
}

function rowsOf(name: FlagName, given: readonly Given[]): Row[] {
  const row = flagOf(name);
  const own = given.filter((one) => spellOut(one).name === name);
  if (own.length === 0) return [[name, describeDefault(row) ?? String(row.default ?? row.unset), "default"]];
  return own.map((one) => {
    const { text, label } = spellOut(one);
    return [name, row.masked?.(text) ?? text, label];
  });
}
