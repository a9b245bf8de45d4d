/**
 * The configuration of a proxy: its options, read and checked once. A reload replaces it as a whole.
 *
 * @module
 */

import { checkRoutes, Router } from "../dialing/router.ts";
import { type IpBlock, needIpBlock } from "../addresses/ip_block.ts";
import { DEFAULT_ENDPOINT, type Endpoint, parseEndpoint } from "../listeners/endpoint.ts";
import { needRead, type ReadRule } from "../policy/rule.ts";
import { Rules } from "../policy/rules.ts";
import { parseRuleLine } from "../policy/rules_file.ts";
import { Tokens } from "../policy/tokens.ts";
import { Users } from "../policy/users.ts";
import type { Limits } from "../settings/limits.ts";
import { completeSettings, type Settings } from "../settings/settings.ts";
import { type ReadText, readTextFile } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";
import { checkedReadText, checkedRoute } from "./callbacks.ts";
import { checkOptions, givenOptions, LIBRARY_OPTIONS } from "./checked_options.ts";
import { destinationsFor } from "./exposure.ts";
import type { ProxyOptions, ReloadOptions } from "./options.ts";

/** The configuration in force. It never changes: a reload puts another in its place. */
export interface Configuration {
  /** The options that it was made from. */
  readonly options: ProxyOptions;
  readonly endpoints: readonly Endpoint[];
  /** The listener of the proxy's own pages. */
  readonly admin: Endpoint | undefined;
  readonly settings: Settings;
  /** The clients that are served; all if it is empty. */
  readonly clients: readonly IpBlock[];
  readonly rules: Rules;
  readonly router: Router;
  readonly users: Users | undefined;
  readonly tokens: Tokens | undefined;
  readonly adminToken: Tokens | undefined;
  readonly readText: ReadText;
}

/**
 * Reads options. `name` is the default of the option of this name.
 *
 * @throws {UsageError} At the first invalid option, or if the options would make an open proxy by accident.
 */
export function configure(options: ProxyOptions, name = randomName()): Configuration {
  checkOptions(options);
  if (options.users && options.authenticate) {
    throw new UsageError('Cannot use the options "users" and "authenticate" together: choose one');
  }
  const endpoints = [options.listen ?? DEFAULT_ENDPOINT].flat().map(parseEndpoint);
  const settings = completeSettings({
    ...options,
    name: options.name ?? name,
    privateDestinations: destinationsFor(endpoints, options),
  });
  const rules = new Rules(readRules(options), { connectPorts: [options.connectPorts ?? []].flat() });
  return {
    options,
    endpoints,
    admin: options.admin === undefined ? undefined : parseEndpoint(options.admin),
    settings: { ...settings, limits: shareOf(settings.limits, options.workers ?? 1) },
    clients: [options.allowClients ?? []].flat().map(needIpBlock),
    rules,
    router: new Router({
      proxies: [options.proxy ?? []].flat(),
      noProxy: options.noProxy ?? "",
      route: options.route && checkedRoute(options.route),
      rules: () => rules,
    }),
    users: options.users && new Users([options.users].flat()),
    tokens: options.tokens && new Tokens([options.tokens].flat()),
    adminToken: options.adminToken === undefined ? undefined : new Tokens([options.adminToken]),
    readText: options.readText ? checkedReadText(options.readText) : readTextFile,
  };
}

/**
 * Reads options that replace those in force. Options that are left out or undefined stay or, with `whole`, get their
 * defaults.
 *
 * @throws {UsageError} Like {@linkcode configure}, and with a line for each changed option that needs a restart.
 */
export function reconfigure(
  { options, settings }: Configuration,
  changes: ProxyOptions,
  { whole = false }: ReloadOptions = {},
): Configuration {
  checkOptions(changes);
  const after: ProxyOptions = whole ? changes : {
    ...options,
    ...withoutUndefined(changes),
    timeouts: { ...options.timeouts, ...withoutUndefined(changes.timeouts) },
    limits: { ...options.limits, ...withoutUndefined(changes.limits) },
  };
  const [old, fresh] = [givenOptions(options), givenOptions(after)];
  const faults = [...LIBRARY_OPTIONS].flatMap(([name, { reload, default: otherwise }]) =>
    reload || isSame(fresh.get(name) ?? otherwise, old.get(name) ?? otherwise)
      ? []
      : [`The option "${name}" cannot be changed by a reload: it takes a restart`]
  );
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
  return configure(after, settings.name);
}

function withoutUndefined<Values extends object>(values: Values | undefined): Partial<Values> {
  const given = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Values>;
}

/** Whether two values of an option are equal. A value equals a list of this value alone. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (one instanceof Map && other instanceof Map) return isSame([...one], [...other]);
  if (!Array.isArray(one) && !Array.isArray(other)) return false;
  const [ones, others] = [[one].flat(), [other].flat()];
  return ones.length === others.length && ones.every((value, i) => isSame(value, others[i]));
}

function readRules({ rules = [] }: ProxyOptions): readonly ReadRule[] {
  const read = [rules].flat().map((rule) =>
    needRead(typeof rule === "string" ? parseRuleLine(rule, "rules") : rule)
  );
  checkRoutes(read);
  return read;
}

/** The share that one of several workers has of limits for all of them. */
function shareOf(limits: Limits, workers: number): Limits {
  return {
    ...limits,
    connections: Math.max(1, Math.floor(limits.connections / workers)),
    attempts: Math.ceil(limits.attempts / workers),
  };
}

/** A different name for each proxy, so that it finds loops. */
function randomName(): string {
  return `proxy-${crypto.randomUUID().slice(0, 8)}`;
}
