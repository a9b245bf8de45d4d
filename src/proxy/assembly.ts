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
import { Resolver, type ResolverTerms } from "../dialing/resolver.ts";
import { type Desk, FarDesk, NearDesk } from "../limits/desk.ts";
import { LimitsInForce } from "../limits/limits_in_force.ts";
import { MemoryStore } from "../limits/memory_store.ts";
import { SILENT_LOG } from "../observe/log.ts";
import { Metrics } from "../observe/metrics.ts";
import { Recent } from "../observe/recent.ts";
import { spanning } from "../observe/spans.ts";
import { Admission, type AdmissionTerms } from "../policy/admission.ts";
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
import type { ProxyOptions } from "./options.ts";

/** Descriptors kept for other things than connections: listeners, logs, name servers, a margin. */
const RESERVED_DESCRIPTORS = 64;

/** How many connections beyond the limit still get a 503; further ones are cut. */
export const SURPLUS = 32;

/** The parts of a proxy. */
export interface Assembly {
  /** The configuration in force. */
  readonly configuration: Configuration;
  /** Puts another configuration in force. */
  readonly use: (configuration: Configuration) => void;
  readonly services: Services;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly recent: Recent;
  readonly limits: LimitsInForce;
}

/** What connections ask the proxy. */
export interface ProxyFacts {
  readonly listening: () => readonly Address[];
  readonly pages: () => PageFacts;
}

/** Makes the parts of a proxy. */
export function assemble(configuration: Configuration, runtime: Runtime, facts: ProxyFacts): Assembly {
  const { options } = configuration;
  const { clock = SYSTEM_CLOCK, log = SILENT_LOG } = options;
  let inForce = configuration;
  const deadlines = new Deadlines(clock);
  const metrics = new Metrics(clock);
  const recent = new Recent();
  const places = new CountedPlaces(Infinity);
  const terms = (): AdmissionTerms => {
    const { options, settings: { limits }, clients } = inForce;
    places.limit = limits.perClient;
    return {
      limit: connectionLimit(inForce, runtime),
      places: options.places ?? (limits.perClient < Infinity ? places : undefined),
      clients,
    };
  };
  const names = (): ResolverTerms => ({
    hosts: inForce.options.hosts,
    servers: inForce.options.nameServers && [inForce.options.nameServers].flat(),
    timeout: inForce.settings.timeouts.dns,
  });
  const admission = new Admission({ clock, log, ...terms() });
  const resolver = new Resolver({ runtime, clock, ...names() });
  const authenticators = new Authenticators(() => inForce, clock);
  const { onRecord, opentelemetry } = options;
  const told = onRecord && tellRecord(onRecord, log);
  const tell = opentelemetry ? spanning(opentelemetry, told) : told;
  const limits = new LimitsInForce(limitDesk(options, clock), {
    reached: (limit) => metrics.reached(limit),
  });
  limits.use(configuration.rules.limits);
  const services: Services = {
    get settings() {
      return inForce.settings;
    },
    get router() {
      return inForce.router;
    },
    get judges() {
      return inForce.users ?? inForce.tokens;
    },
    rules: () => inForce.rules,
    get limits() {
      return limits.any ? limits : undefined;
    },
    runtime,
    clock,
    date: () => clock.date(),
    deadlines,
    log,
    resolver,
    ownAddresses: new OwnAddresses({ runtime, clock }),
    unfinishedHeads: new UnfinishedHeads({ clock, log, budget: UNFINISHED_HEADS }),
    pool: new OriginPool({ clock, deadlines }),
    failover: new Failover({ clock, log }),
    reserve: new Reserve({ clock, deadlines }),
    lifelines: new Lifelines({ runtime, clock, deadlines }),
    secrets: new SecretFiles(runtime, (path, what) => inForce.readText(path, what)),
    get authenticate() {
      return authenticators.current;
    },
    get scheme() {
      return inForce.tokens ? "Bearer" : "Basic";
    },
    claimAssociation: () => admission.claimAssociation(),
    refuseClient: (client) => admission.refuse(client),
    facts: facts.pages,
    listening: facts.listening,
    metrics,
    recent,
    onRecord: tell,
    get onPage() {
      return inForce.options.recordPages ? tell : undefined;
    },
    onTransition: options.onTransition,
  };
  return {
    get configuration() {
      return inForce;
    },
    use(configuration) {
      inForce = configuration;
      admission.use(terms());
      resolver.use(names());
      authenticators.renew();
      limits.use(configuration.rules.limits);
    },
    services,
    admission,
    metrics,
    recent,
    limits,
  };
}

/** Where the limits ask. A store elsewhere knows this proxy by a name of its own. */
function limitDesk({ limitStore }: ProxyOptions, clock: Clock): Desk {
  if (limitStore && !(limitStore instanceof MemoryStore)) {
    return new FarDesk(limitStore, { clock, asker: crypto.randomUUID() });
  }
  return new NearDesk(limitStore ?? new MemoryStore(clock), clock);
}

/** A tunnel takes two descriptors. Refusing clients is better than running out (Bun would spin, see its PR #32705). */
function connectionLimit({ options: { workers = 1 }, settings }: Configuration, runtime: Runtime): number {
  const descriptors = runtime.descriptorLimit() ?? Infinity;
  const users = workers > 1 && runtime.sharing?.().workers === "threads" ? workers : 1;
  const fitting = Math.floor((descriptors - RESERVED_DESCRIPTORS) / users / 2) - SURPLUS;
  return Math.max(1, Math.min(settings.limits.connections, fitting));
}

/** Makes the function that checks credentials. A reload may change who judges, and how many attempts there are. */
class Authenticators {
  /** Undefined if everybody is let in. */
  current: Authenticate | undefined;
  readonly #inForce: () => Configuration;
  readonly #clock: Clock;
  #gate: Gate | undefined;
  #perMinute: number | undefined;

  constructor(inForce: () => Configuration, clock: Clock) {
    this.#inForce = inForce;
    this.#clock = clock;
    this.renew();
  }

  /** Takes the configuration in force. Attempts are counted on, unless their limit has changed. */
  renew(): void {
    const { options: { authenticate }, settings: { limits }, tokens, users } = this.#inForce();
    if (this.#perMinute !== limits.attempts) this.#gate = undefined;
    this.#perMinute = limits.attempts;
    // No gate: 256 bits cannot be guessed, and a delay would show a stranger that there is something to guess.
    if (tokens) this.current = ({ password }) => this.#inForce().tokens?.verify(password) ?? false;
    else if (users || authenticate) this.current = this.#gated(authenticate).admit;
    else this.current = undefined;
  }

  #gated(authenticate: Authenticate | undefined): Gate {
    const ask = authenticate && checkedAuthenticate(authenticate);
    const judge: Authenticate = ask ??
      ((request, signal) => verify(() => this.#inForce().users, request, signal));
    return this.#gate ??= new Gate(judge, { clock: this.#clock, perMinute: this.#perMinute! });
  }
}

/** Asks the current users. If a reload has replaced them meanwhile, a right password is checked again. */
function verify(
  users: () => Users | undefined,
  request: AuthenticationRequest,
  signal: AbortSignal,
): boolean | Promise<boolean> {
  const asked = users();
  // A reload has removed all users, and nobody has to log in any more.
  if (!asked) return true;
  const right = asked.verify(request, signal);
  if (typeof right === "boolean") return right;
  return right.then((right) => right && asked !== users() ? verify(users, request, signal) : right);
}
