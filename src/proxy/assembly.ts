/**
 * Makes the parts of a proxy that its connections share, from its configuration.
 *
 * @module
 */

import type { PageFacts } from "../admin/facts.ts";
import type { Services } from "../connection/services.ts";
import { UnfinishedHeads } from "../request/unfinished_heads.ts";
import { Failover } from "../dialing/failover.ts";
import { Lifelines } from "../dialing/lifeline.ts";
import { OriginPool } from "../dialing/pool.ts";
import { Reserve } from "../dialing/reserve.ts";
import { Resolver } from "../dialing/resolver.ts";
import { SILENT_LOG } from "../observe/log.ts";
import { Metrics } from "../observe/metrics.ts";
import { Admission } from "../policy/admission.ts";
import { Gate } from "../policy/attempts.ts";
import type { Authenticate, AuthenticationRequest } from "../policy/authentication.ts";
import { OwnAddresses } from "../policy/own_addresses.ts";
import { CountedPlaces } from "../policy/places.ts";
import type { Users } from "../policy/users.ts";
import { type Clock, SYSTEM_CLOCK } from "../runtime/clock.ts";
import type { Address, Runtime } from "../runtime/contract.ts";
import { Deadlines } from "../runtime/deadlines.ts";
import { UNFINISHED_HEADS } from "../settings/limits.ts";
import { SecretFiles } from "../text/secret_files.ts";
import type { Configuration } from "./configuration.ts";
import { checkedAuthenticate, tellRecord } from "./callbacks.ts";

/** Descriptors kept for other things than connections: listeners, logs, name servers, a margin. */
const RESERVED_DESCRIPTORS = 64;

/** How many connections beyond the limit still get a 503; further ones are cut. */
export const SURPLUS = 32;

/** The parts of a proxy. */
export interface Assembly {
  /** The configuration in force. A reload replaces this reference, and no other. */
  configuration: Configuration;
  readonly services: Services;
  readonly admission: Admission;
  readonly metrics: Metrics;
}

/** What connections ask the proxy. */
export interface ProxyFacts {
  readonly listening: () => readonly Address[];
  readonly pages: () => PageFacts;
}

/** Makes the parts of a proxy. */
export function assemble(configuration: Configuration, runtime: Runtime, facts: ProxyFacts): Assembly {
  const { options, settings } = configuration;
  const { clock = SYSTEM_CLOCK, log = SILENT_LOG } = options;
  const { limits } = settings;
  const deadlines = new Deadlines(clock);
  const metrics = new Metrics(clock);
  const admission = new Admission({
    clock,
    log,
    limit: connectionLimit(configuration, runtime),
    places: options.places ?? (limits.perClient < Infinity ? new CountedPlaces(limits.perClient) : undefined),
    clients: [options.allowClients ?? []].flat(),
  });
  const tell = options.onRecord && tellRecord(options.onRecord, log);
  const inForce = (): Configuration => assembly.configuration;
  const services: Services = {
    get settings() {
      return inForce().settings;
    },
    get router() {
      return inForce().router;
    },
    get judges() {
      return inForce().users ?? inForce().tokens;
    },
    rules: () => inForce().rules,
    runtime,
    clock,
    date: () => clock.date(),
    deadlines,
    log,
    resolver: new Resolver({
      runtime,
      clock,
      hosts: options.hosts,
      servers: options.nameServers && [options.nameServers].flat(),
      timeout: settings.timeouts.dns,
    }),
    ownAddresses: new OwnAddresses({ runtime, clock }),
    unfinishedHeads: new UnfinishedHeads({ clock, log, budget: UNFINISHED_HEADS }),
    pool: new OriginPool({ clock, deadlines }),
    failover: new Failover({ clock, log }),
    reserve: new Reserve({ clock, deadlines }),
    lifelines: new Lifelines({ runtime, clock, deadlines }),
    secrets: new SecretFiles(runtime, (path, what) => inForce().readText(path, what)),
    authenticate: authenticator(configuration, { inForce, clock }),
    scheme: configuration.tokens ? "Bearer" : "Basic",
    claimAssociation: () => admission.claimAssociation(),
    refuseClient: (client) => admission.refuse(client),
    facts: facts.pages,
    listening: facts.listening,
    metrics,
    onRecord: tell,
    onPage: options.recordPages ? tell : undefined,
    onTransition: options.onTransition,
  };
  const assembly: Assembly = { configuration, services, admission, metrics };
  return assembly;
}

/** A tunnel takes two descriptors. Refusing clients is better than running out (Bun would spin, see its PR #32705). */
function connectionLimit({ options: { workers = 1 }, settings }: Configuration, runtime: Runtime): number {
  const descriptors = runtime.descriptorLimit() ?? Infinity;
  const users = workers > 1 && runtime.sharing?.().workers === "threads" ? workers : 1;
  const fitting = Math.floor((descriptors - RESERVED_DESCRIPTORS) / users / 2) - SURPLUS;
  return Math.max(1, Math.min(settings.limits.connections, fitting));
}

/** The function that checks credentials; undefined if everybody is let in. */
function authenticator(
  { options: { authenticate }, settings, tokens, users }: Configuration,
  { inForce, clock }: { readonly inForce: () => Configuration; readonly clock: Clock },
): Authenticate | undefined {
  // No gate: 256 bits cannot be guessed, and a delay would show a stranger that there is something to guess.
  if (tokens) return ({ password }) => inForce().tokens!.verify(password);
  const judge: Authenticate | undefined = users
    ? (request, signal) => verify(() => inForce().users!, request, signal)
    : authenticate && checkedAuthenticate(authenticate);
  return judge && new Gate(judge, { clock, perMinute: settings.limits.attempts }).admit;
}

/** Asks the current users. If a reload has replaced them meanwhile, a right password is checked again. */
function verify(
  users: () => Users,
  request: AuthenticationRequest,
  signal: AbortSignal,
): boolean | Promise<boolean> {
  const asked = users();
  const right = asked.verify(request, signal);
  if (typeof right === "boolean") return right;
  return right.then((right) => right && asked !== users() ? verify(users, request, signal) : right);
}
