/**
 * The configuration of a proxy: what its options say, read and checked once, and replaced as a whole by a reload.
 *
 * @module
 */

import { Router } from "../dialing/router.ts";
import { parseChain } from "../dialing/upstream.ts";
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
import type { ProxyOptions } from "./options.ts";

/** What is in force at a time. Nothing in it changes: a reload puts another in its place. */
export interface Configuration {
  /** What it was made of. */
  readonly options: ProxyOptions;
  readonly endpoints: readonly Endpoint[];
  readonly settings: Settings;
  readonly rules: Rules;
  readonly router: Router;
  readonly users: Users | undefined;
  readonly tokens: Tokens | undefined;
  readonly readText: ReadText;
}

/**
 * Reads what options say. `name` is taken where they give none.
 *
 * @throws {UsageError} At the first that cannot be used, or where they would make an open proxy by accident.
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
    settings: { ...settings, limits: shareOf(settings.limits, options.workers ?? 1) },
    rules,
    router: new Router({
      proxies: [options.proxy ?? []].flat(),
      noProxy: options.noProxy ?? "",
      route: options.route && checkedRoute(options.route),
      rules: () => rules,
    }),
    users: options.users && new Users([options.users].flat()),
    tokens: options.tokens && new Tokens([options.tokens].flat()),
    readText: options.readText ? checkedReadText(options.readText) : readTextFile,
  };
}

/**
 * Reads what options say in place of those in force; what they leave out, or say to be undefined, stays.
 *
 * @throws {UsageError} As {@linkcode configure}, and at an option that differs from what is in force and takes a restart.
 */
export function reconfigure({ options, settings }: Configuration, changes: ProxyOptions): Configuration {
  checkOptions(changes);
  const inForce = givenOptions(options);
  for (const [name, value] of givenOptions(changes)) {
    const { reload, default: otherwise } = LIBRARY_OPTIONS.get(name)!;
    const before = inForce.get(name) ?? otherwise;
    // Who is asked nothing so far has to be asked by another handshake.
    const isNewLogin = (name === "users" || name === "tokens") && before === undefined;
    if ((reload && !isNewLogin) || isSame(value, before)) continue;
    throw new UsageError(`The option "${name}" cannot be changed by a reload: it takes a restart`);
  }
  return configure({
    ...options,
    ...withoutUndefined(changes),
    timeouts: { ...options.timeouts, ...withoutUndefined(changes.timeouts) },
    limits: { ...options.limits, ...withoutUndefined(changes.limits) },
  }, settings.name);
}

function withoutUndefined<Values extends object>(values: Values | undefined): Partial<Values> {
  const given = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<Values>;
}

/** Whether two values of options are alike. One value and a list of it alone are. */
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
  for (const rule of read) if (rule.kind === "route") parseChain(rule.via);
  return read;
}

/** What one of several workers may use of what all of them together may. */
function shareOf(limits: Limits, workers: number): Limits {
  return {
    ...limits,
    connections: Math.max(1, Math.floor(limits.connections / workers)),
    attempts: Math.ceil(limits.attempts / workers),
  };
}

/** A name of its own for each proxy, so that loops are found. */
function randomName(): string {
  return `proxy-${crypto.randomUUID().slice(0, 8)}`;
}
