/**
 * Every flag of the command line: the options of a proxy that a command takes, and what single commands take beside them.
 *
 * @module
 */

import { OPTIONS } from "../../options/options.ts";
import { GROUPS, type LIBRARY_ONLY, type Option } from "../../settings/option.ts";
import { COMMAND_FLAGS } from "./command_flags.ts";

const ALL = { ...OPTIONS, ...COMMAND_FLAGS } as const;

type All = typeof ALL;

/** The rows that some command takes. */
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

/** What the names of all variables begin with. */
export const VARIABLE_PREFIX = "SLUICE_";

/** The name of the environment variable that may stand for a flag. */
export function environmentName(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll("-", "_")}`;
}
