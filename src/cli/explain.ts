/**
 * `sluice explain TARGET`: tells whether the proxy would allow a request, and which rule decides.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../runtime/clock.ts";
import { Fault } from "../faults.ts";
import { specialPurpose } from "../policy/destination_guard.ts";
import { describe } from "../policy/rule.ts";
import type { RuleRequest } from "../policy/rule_request.ts";
import { type Decision, Rules } from "../policy/rules.ts";
import { formatAuthority, parseIp } from "../addresses/host.ts";
import { parseAuthority } from "../protocols/http/target.ts";
import type { Runtime } from "../runtime/contract.ts";
import { Resolver } from "../dialing/resolver.ts";
import { formatRoute, parseChain } from "../dialing/upstream.ts";
import { readTextFile, TextFiles } from "../text/text_file.ts";
import { UsageError } from "../text/usage_error.ts";
import type { CommandLine, Options } from "./flags/options.ts";
import { privateDestinations, readHosts, readRules } from "./config/proxy_options.ts";
import { withConfig } from "./config/read_config.ts";
import { EXIT_CODES, FailedError, type Shell } from "./program/shell.ts";

/** The default port of each scheme that a target's URL may have. */
const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443 };

/** Runs the command. */
export async function explain(
  line: CommandLine,
  shell: Shell,
  runtime: Runtime,
): Promise<number> {
  const { words, options } = await withConfig(line, new TextFiles());
  const rules = new Rules(await readRules(options, readTextFile), { connectPorts: options["connect-port"] });
  const request = readRequest(words[0], options);
  const guarded = privateDestinations(options) === "deny";
  const decision = rules.decide(request);
  const route = rules.route(request);
  if (route !== undefined) shell.print(`route   ${formatRoute(parseChain(route))}`);
  const bind = rules.bind(request);
  if (bind) shell.print(`from    ${bind.terms.text}: ${describe(bind)}`);
  for (const limit of rules.limitsOf(request)) shell.print(`limit   ${limit.terms.text}: ${describe(limit)}`);
  if (decision.verdict !== "unresolved" && !(guarded && decision.verdict === "allow")) {
    shell.print(verdict(decision, formatAuthority(request)));
    return decision.verdict === "deny" ? EXIT_CODES.denied : EXIT_CODES.done;
  }
  let denied = 0;
  const addresses = await resolve(request.host, { options, runtime });
  for (const address of addresses) {
    const why = guarded ? specialPurpose(address) : undefined;
    const judged = rules.decide({ ...request, address });
    const at = `${formatAuthority(request)} at ${address}`;
    if (why !== undefined || judged.verdict === "deny") denied++;
    shell.print(why === undefined ? verdict(judged, at) : `deny    ${at}: ${why}, as --deny-private has it`);
  }
  return denied === addresses.length ? EXIT_CODES.denied : EXIT_CODES.done;
}

function verdict({ verdict, rule }: Decision, target: string): string {
  const why = rule ? describe(rule) : verdict === "deny" ? "no rule allows it" : "no rule denies it";
  return `${verdict.padEnd(8)}${target}: ${why}`;
}

function readRequest(text: string, { as, from, protocol }: Options): RuleRequest {
  const [, scheme, authority] = /^(?:([a-z]+):\/\/)?([^/?#]*)/i.exec(text) ?? [];
  try {
    const plain = scheme?.toLowerCase() ?? "";
    const { host, port = PORTS[plain] } = parseAuthority(authority);
    if (port === undefined) {
      throw new UsageError(`Invalid target "${text}": give a port, as in "${authority}:443"`);
    }
    const usual = plain === "http" || plain === "ws" ? "http" : "connect";
    return { host, port, protocol: protocol ?? usual, user: as, client: from };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new UsageError(`Invalid target "${text}": give HOST:PORT or a URL`, { cause: error });
  }
}

async function resolve(
  host: string,
  { options, runtime }: { options: Options; runtime: Runtime },
): Promise<readonly string[]> {
  if (parseIp(host)) return [host];
  const resolver = new Resolver({
    runtime,
    clock: SYSTEM_CLOCK,
    hosts: await readHosts(options, readTextFile),
    servers: options.dns,
    timeout: options["dns-timeout"],
  });
  try {
    return await resolver.resolve(host, new AbortController().signal);
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    throw new FailedError(cause.message, { cause });
  }
}
