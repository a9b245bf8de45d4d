/**
 * Every flag of the command line: the one list from which parsing, environment names and help are derived.
 *
 * @module
 */

import { COMMAND_FLAGS } from "./command_flags.ts";
import type { Flag } from "./flag.ts";
import { LISTENING_FLAGS } from "./listening_flags.ts";
import { POLICY_FLAGS } from "./policy_flags.ts";
import { RUNNING_FLAGS } from "./running_flags.ts";

/** Name → flag, in the order of the help. */
export const FLAGS = {
  ...LISTENING_FLAGS,
  ...POLICY_FLAGS,
  ...RUNNING_FLAGS,
  ...COMMAND_FLAGS,
} as const satisfies Record<string, Flag>;

/** The name of a flag, without hyphens. */
export type FlagName = keyof typeof FLAGS;

/** What the names of all variables begin with. */
export const VARIABLE_PREFIX = "SLUICE_";

/** The name of the environment variable that may stand for a flag. */
export function environmentName(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll("-", "_")}`;
}
