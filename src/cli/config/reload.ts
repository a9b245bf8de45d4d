/**
 * Puts new files into use while the proxy runs: all of them, or none.
 *
 * @module
 */

import type { Log } from "../../observe/log.ts";
import type { Address } from "../../runtime/contract.ts";
import { formatAddress } from "../../addresses/host.ts";
import type { Texts } from "../../text/text_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import { flagOf } from "../flags/arguments.ts";
import { type CommandLine, flagsOf } from "../flags/options.ts";
import type { Shell } from "../program/shell.ts";

/** Reads everything anew. Takes the texts of the files if another process has checked them already. */
export type Reload = (texts?: Texts) => Promise<void>;

/**
 * A reload that is called whenever the files may be new: one call runs behind the other. If `reload` rejects, it must
 * have changed nothing; the error is logged, and the caller is told.
 */
export function inTurn(reload: Reload, log: Log): Reload {
  let last = Promise.resolve();
  return (texts) => {
    const done = last.then(() => reload(texts));
    last = done.catch((error) => log.error("Everything stays as it was, since a file cannot be used", error));
    return done;
  };
}

/** Throws a `UsageError` with a line for each option that has changed and that a reload cannot change. */
export function refuseFixed(before: CommandLine, after: CommandLine): void {
  const faults = flagsOf(after.command).flatMap((name) => {
    const [old, fresh] = [before, after].map(({ options }) => JSON.stringify(options[name]));
    if (flagOf(name).reload !== false || old === fresh) return [];
    const label = after.given.find((one) => one.name === name)?.label ?? after.options.config;
    return [`${label}: "${name}" cannot be changed while the proxy runs: it takes a restart`];
  });
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
}

/** Tells which listeners are new, and which are gone. */
export function tellListeners(
  before: readonly Address[],
  after: readonly Address[],
  shell: Pick<Shell, "log" | "tell">,
): void {
  const [old, fresh] = [before, after].map((addresses) => addresses.map(formatAddress));
  for (const name of fresh) if (!old.includes(name)) shell.tell(`listening on ${name}`);
  for (const name of old) if (!fresh.includes(name)) shell.log.info(`Listens on ${name} no more`);
}
