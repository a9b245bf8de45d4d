/**
 * The environment variables that stand for flags.
 *
 * @module
 */

import type { Runtime } from "../../runtime/contract.ts";
import { UsageError } from "../../text/usage_error.ts";
import { FLAG_NAMES, flagOf, type Given, isList, suggestFlag } from "./arguments.ts";
import { environmentName, type FlagName, VARIABLE_PREFIX } from "./flags.ts";

/** Returns the value of an environment variable; undefined if it is not set, or may not be read. */
export type Environment = (name: string) => string | undefined;

/** The part of the runtime that reads the environment. */
export type Variables = Pick<Runtime, "environment" | "environmentNames" | "environmentDenied">;

/** The variable that may hold a token in place of a file. */
export const TOKEN_VARIABLE = "SLUICE_TOKEN";

/** The variable that holds the {@link Assignment} of a worker process. */
export const ASSIGNMENT_VARIABLE = "SLUICE_WORKER";

/** Variables that belong to no flag. */
const OTHERS = [TOKEN_VARIABLE, ASSIGNMENT_VARIABLE];

/** Names of variables that Kubernetes and Docker set for a service called `sluice` or `sluice-…`. */
const SERVICE_NAME = /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/;
const SERVICE_PORT = /^(?:tcp|udp|sctp):\/\//;

/** Variables that images, packages and scripts set for their program: compare HAPROXY_VERSION and CHROME_BIN. */
const PACKAGING = ["BIN", "CMD", "DIR", "HOME", "SHA256", "URL", "VERSION"].map((word) =>
  `${VARIABLE_PREFIX}${word}`
);

/** The values of the variables of these flags, in the order of the table. An empty variable counts as not set. */
export function readVariables(environment: Environment, names: readonly FlagName[]): Given[] {
  return names.filter(hasVariable).flatMap((name) => {
    const { separator, shorthand } = flagOf(name);
    const target = flagOf(shorthand ? shorthand[0] as FlagName : name);
    const label = environmentName(name);
    const text = environment(label);
    // Curl and git also ignore empty variables.
    if (text === undefined || text === "") return [];
    const texts = isList(name)
      ? text.split(separator ?? target.separator ?? ",").map((part) => part.trim())
      : [text];
    return texts.map((text) => ({ name, text, label }));
  });
}

/** Throws a `UsageError` for a variable that begins with `SLUICE_` but belongs to no flag. */
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

/** Says which variables of these flags may not be read, and why. Undefined if all may be read. */
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
