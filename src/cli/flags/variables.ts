/**
 * The environment variables that stand for flags.
 *
 * @module
 */

import type { Runtime } from "../../runtime/contract.ts";
import { UsageError } from "../../text/usage_error.ts";
import { FLAG_NAMES, flagOf, type Given, suggestFlag } from "./arguments.ts";
import { environmentName, type FlagName, VARIABLE_PREFIX } from "./flags.ts";

/** The value of an environment variable, where there is one that may be read. */
export type Environment = (name: string) => string | undefined;

/** What the environment can be asked for. */
export type Variables = Pick<Runtime, "environment" | "environmentNames" | "environmentDenied">;

/** The variable that may hold a token in place of a file. */
export const TOKEN_VARIABLE = "SLUICE_TOKEN";

/** The environment variable of a process in which its {@link Assignment} is. */
export const ASSIGNMENT_VARIABLE = "SLUICE_WORKER";

/** Variables that no flag stands for. */
const OTHERS = [TOKEN_VARIABLE, ASSIGNMENT_VARIABLE];

/** What Kubernetes and Docker set beside a service that is called `sluice`, or `sluice-…`. */
const SERVICE_NAME = /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/;
const SERVICE_PORT = /^(?:tcp|udp|sctp):\/\//;

/**
 * What images, packages and scripts set about a program that they carry or start, such as HAPROXY_VERSION, CATALINA_HOME
 * and CHROME_BIN.
 */
const PACKAGING = ["BIN", "CMD", "DIR", "HOME", "SHA256", "URL", "VERSION"].map((word) =>
  `${VARIABLE_PREFIX}${word}`
);

/** What variables say for these flags, in the order of the table. One that is empty is as good as not set. */
export function readVariables(environment: Environment, names: readonly FlagName[]): Given[] {
  return names.filter(hasVariable).flatMap((name) => {
    const { value, separator, shorthand } = flagOf(name);
    const target = flagOf(shorthand ? shorthand[0] as FlagName : name);
    const label = environmentName(name);
    const text = environment(label);
    // Curl and git take empty variables so, too.
    if (text === undefined || text === "") return [];
    const isList = value !== undefined && target.repeatable;
    const texts = isList
      ? text.split(separator ?? target.separator ?? ",").map((part) => part.trim())
      : [text];
    return texts.map((text) => ({ name, text, label }));
  });
}

/** Throws a `UsageError` at a variable that has a name like those of flags, and stands for no flag. */
export function refuseUnknownVariables(runtime: Variables): void {
  const known = [...FLAG_NAMES.filter(hasVariable).map(environmentName), ...OTHERS, ...PACKAGING];
  for (const name of runtime.environmentNames()) {
    if (!name.startsWith(VARIABLE_PREFIX) || known.includes(name)) continue;
    const text = runtime.environment(name);
    if (!text || SERVICE_NAME.test(name) || (name.endsWith("_PORT") && SERVICE_PORT.test(text))) continue;
    throw new UsageError(`Unknown variable "${name}": ${adviceFor(name)}`);
  }
}

function adviceFor(name: string): string {
  const word = name.slice(VARIABLE_PREFIX.length).toLowerCase().replaceAll("_", "-");
  const flag = suggestFlag(word);
  if (flag === word) return `"--${flag}" has no variable`;
  return flag && hasVariable(flag) ? `did you mean "${environmentName(flag)}"?` : "see --help";
}

/** Which variables of these flags may not be read, and why; undefined where all of them may be. */
export function describeUnread(runtime: Variables, names: readonly FlagName[]): string | undefined {
  const variables = names.filter(hasVariable).map(environmentName);
  const read = variables.filter((name) => runtime.environmentDenied?.(name) === undefined);
  const denied = variables.find((name) => !read.includes(name));
  if (denied === undefined) return undefined;
  const others = read.length > 0 ? ` other than ${read.join(", ")}` : "";
  return `${VARIABLE_PREFIX}* variables${others} are not read: ${runtime.environmentDenied?.(denied)}`;
}

function hasVariable(name: FlagName): boolean {
  return flagOf(name).environment ?? true;
}
