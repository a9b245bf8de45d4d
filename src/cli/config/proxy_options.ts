/**
 * From the options of the command line to those of the proxy; files are read here.
 *
 * @module
 */

import { parseRules } from "../../policy/rules_file.ts";
import type { Rule } from "../../policy/rule.ts";
import { Users } from "../../policy/users.ts";
import { parseUsersFile } from "../../policy/users_file.ts";
import type { ProxyOptions } from "../../proxy/options.ts";
import { parseChain } from "../../dialing/upstream.ts";
import { parseHosts } from "../../dialing/hosts_file.ts";
import { UsageError } from "../../text/usage_error.ts";
import type { ReadText } from "../../text/text_file.ts";
import type { Options } from "../flags/options.ts";

/** What the flags say of the proxy, without what needs a running program: users, records, logs. */
export async function proxyOptions(options: Options, readText: ReadText): Promise<ProxyOptions> {
  return {
    listen: options.listen,
    admin: options.admin,
    allowOpen: options["allow-open"],
    allowClients: options["allow-client"],
    contact: options.contact,
    name: options.name,
    timeouts: {
      dns: options["dns-timeout"],
      connect: options["connect-timeout"],
      header: options["header-timeout"],
      idle: options["idle-timeout"],
      stalled: options["stall-timeout"],
      drain: options["drain-timeout"],
    },
    limits: {
      connections: options["max-connections"],
      perClient: options["max-per-client"],
      attempts: options["max-attempts"],
      headerSize: options["max-header-size"],
      bodySize: options["max-body-size"],
    },
    recordPages: options["log-pages"],
    forwarded: options.forwarded,
    privateDestinations: privateDestinations(options),
    proxy: options.proxy,
    noProxy: options["no-proxy"],
    rules: await readRules(options, readText),
    connectPorts: options["connect-port"],
    hosts: await readHosts(options, readText),
    nameServers: options.dns,
  };
}

/** Undefined where no users are given: everybody may use the proxy. */
export async function readUsers(options: Options, readText: ReadText): Promise<Users | undefined> {
  const file = options["users-file"];
  if (file === undefined) return options.user.length > 0 ? new Users(options.user) : undefined;
  const entries = parseUsersFile(await readText(file, "the users file"), file);
  if (entries.length + options.user.length === 0) {
    throw new UsageError(`The users file "${file}" is empty: make an entry with "sluice passwd NAME"`);
  }
  return new Users([...options.user, ...entries]);
}

/** The rules of the flags, and those of the file behind them. */
export async function readRules(options: Options, readText: ReadText): Promise<Rule[]> {
  const file = options["rules-file"];
  const more = file === undefined ? [] : parseRules(await readText(file, "the rules file"), file);
  const rules = [...options.rule, ...more];
  for (const rule of rules) if (rule.kind === "route") parseChain(rule.via);
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

/** Undefined: as the listeners have it. */
export function privateDestinations(options: Options): "allow" | "deny" | undefined {
  const { "allow-private": allow, "deny-private": deny } = options;
  if (allow && deny) {
    throw new UsageError("Cannot use --allow-private and --deny-private together: choose one");
  }
  if (allow) return "allow";
  return deny ? "deny" : undefined;
}
