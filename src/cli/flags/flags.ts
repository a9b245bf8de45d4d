/**
 * Every flag of the command line: the options of a proxy, and the flags of single commands.
 *
 * @module
 */

import { OPTIONS } from "../../options/options.ts";
import { GROUPS, type LIBRARY_ONLY, type Option } from "../../settings/option.ts";
import { COMMAND_FLAGS } from "./command_flags.ts";

const ALL = { ...OPTIONS, ...COMMAND_FLAGS } as const;

type All = typeof ALL;

/** The rows that are flags, without the options that only the library has. */
type Flags = {
  readonly [Name in keyof All as All[Name] extends { commands: typeof LIBRARY_ONLY } ? never : Name]:
    All[Name];
};

/** Name → flag, in the order of the help. */
export const FLAGS = Object.fromEntries(
  GROUPS.flatMap((group) =>
    Object.entries<Option>(ALL).filter(([, { group: own, commands }]) =>
      own === group && commands?.length !== 0
    )
  ),
) as Flags;

/** The name of a flag, without hyphens. */
export type FlagName = keyof typeof FLAGS;

/** The prefix of all variables. */
export const VARIABLE_PREFIX = "SLUICE_";

/** The name of the environment variable of a flag. */
export function environmentName(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll("-", "_")}`;
}
