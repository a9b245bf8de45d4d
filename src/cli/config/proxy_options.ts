/**
 * Makes the options of the proxy from those of the command line, and reads the files that they name.
 *
 * @module
 */

import { parseRules } from "../../policy/rules_file.ts";
import { needRead, type Rule } from "../../policy/rule.ts";
import { loadSchemes } from "../../policy/password_hash.ts";
import { parseUsersFile } from "../../policy/users_file.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import { checkRoutes } from "../../dialing/router.ts";
import { parseHosts } from "../../dialing/hosts_file.ts";
import { parseEndpoint } from "../../listeners/endpoint.ts";
import { ListenerSettings } from "../../listeners/listener_settings.ts";
import { readAdminToken } from "../../options/listening.ts";
import type { Option } from "../../settings/option.ts";
import { UsageError } from "../../text/usage_error.ts";
import { refuseShared } from "../../text/secret_files.ts";
import type { ReadText, TextFiles } from "../../text/text_file.ts";
import { type FlagName, FLAGS } from "../flags/flags.ts";
import type { Options } from "../flags/options.ts";

/** The options of the proxy that come from flags and their files. Records and logs are added in serve.ts. */
export async function proxyOptions(options: Options, readText: ReadText): Promise<ProxyOptions> {
  const [users, rules, hosts] = await together(
    readUsers(options, readText),
    readRules(options, readText),
    readHosts(options, readText),
  );
  return {
    ...namedOptions(options),
    privateDestinations: privateDestinations(options),
    users,
    rules,
    hosts,
  };
}

/** Waits for all promises. Rejects with one `UsageError` for all that reject with one. */
async function together<Values extends readonly unknown[]>(
  ...promises: { readonly [I in keyof Values]: Promise<Values[I]> }
): Promise<Values> {
  const settled = await Promise.allSettled(promises);
  const reasons = settled.flatMap((one) => one.status === "rejected" ? [one.reason] : []);
  const bug = reasons.find((reason) => !(reason instanceof UsageError));
  if (bug !== undefined) throw bug;
  if (reasons.length > 0) throw new UsageError(reasons.map(({ message }) => message).join("\n"));
  return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as unknown as Values;
}

/** Reads the certificates of all listeners. Throws a `UsageError` if one cannot be used. */
export async function readCertificates(options: ProxyOptions, readText: ReadText): Promise<void> {
  const endpoints = [options.listen ?? [], options.admin ?? []].flat();
  await together(...endpoints.map((text) => new ListenerSettings(parseEndpoint(text)).load(readText)));
}

/** The values of all flags that set an option of the library, under the names of those options. */
function namedOptions(options: Options): ProxyOptions {
  const named: Record<string, unknown> = {};
  for (const [flag, { setting }] of Object.entries<Option>(FLAGS)) {
    if (setting === undefined) continue;
    const [name, member] = setting.split(".");
    const value = options[flag as FlagName];
    named[name] = member === undefined ? value : { ...named[name] as object, [member]: value };
  }
  return named;
}

/** Undefined if no users are given: then everybody may use the proxy. */
async function readUsers(options: Options, readText: ReadText): Promise<ProxyOptions["users"]> {
  const file = options["users-file"];
  if (file === undefined) return options.user.length > 0 ? options.user : undefined;
  const entries = parseUsersFile(await readText(file, "the users file"), file);
  await loadSchemes(entries.map(({ hash }) => hash));
  if (entries.length + options.user.length === 0) {
    throw new UsageError(`The users file "${file}" is empty: make an entry with "sluice passwd NAME"`);
  }
  return [...options.user, ...entries];
}

/** The secret of the admin listener: from its option, or from the file. */
export async function readAdminSecret(
  { "admin-token": token, "admin-token-file": file }: Options,
  files: Pick<TextFiles, "has" | "read">,
): Promise<string | undefined> {
  if (file === undefined) return token;
  if (token !== undefined) throw new UsageError("Give --admin-token or --admin-token-file, and not both");
  if (!files.has(file)) await refuseShared(file, "the admin token");
  return readAdminToken((await files.read(file, "the admin token")).trim());
}

/** The rules of the flags, followed by those of the file. */
export async function readRules(options: Options, readText: ReadText): Promise<Rule[]> {
  const file = options["rules-file"];
  const more = file === undefined ? [] : parseRules(await readText(file, "the rules file"), file);
  const rules = [...options.rule, ...more];
  checkRoutes(rules.map(needRead));
  return rules;
}

/** The names and addresses of --hosts-file. */
export async function readHosts(
  options: Options,
  readText: ReadText,
): Promise<ReadonlyMap<string, readonly string[]> | undefined> {
  const file = options["hosts-file"];
  return file === undefined ? undefined : parseHosts(await readText(file, "the hosts file"), file);
}

/** Undefined if neither flag is given: then the proxy decides by where it listens. */
export function privateDestinations(options: Options): "allow" | "deny" | undefined {
  const { "allow-private": allow, "deny-private": deny } = options;
  if (allow && deny) {
    throw new UsageError("Cannot use --allow-private and --deny-private together: choose one");
  }
  if (allow) return "allow";
  return deny ? "deny" : undefined;
}
