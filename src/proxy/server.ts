/**
 * The proxy as a whole: its listeners, the connections under way, and how it comes to rest.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "../runtime/clock.ts";
import { Connection } from "../connection/connection.ts";
import { runConnection } from "../connection/run.ts";
import { Deadlines } from "../runtime/deadlines.ts";
import { detectRuntime } from "../detect_runtime.ts";
import { DEFAULT_ENDPOINT, type Endpoint, parseEndpoint } from "../listeners/endpoint.ts";
import { Entrance, PLAIN_ENTRANCE, type Role } from "../listeners/entrance.ts";
import { destinationsFor } from "./exposure.ts";
import { Fault } from "../faults.ts";
import { SILENT_LOG } from "../observe/log.ts";
import { Metrics, sumTotals, type Totals } from "../observe/metrics.ts";
import { OwnAddresses } from "../policy/own_addresses.ts";
import { Admission } from "../policy/admission.ts";
import { Gate } from "../policy/attempts.ts";
import { CountedPlaces } from "../policy/places.ts";
import type { Rule } from "../policy/rule.ts";
import type { CloseOptions, Proxy, ProxyOptions } from "./options.ts";
import { Rules } from "../policy/rules.ts";
import { Tokens } from "../policy/tokens.ts";
import { parseRuleLine } from "../policy/rules_file.ts";
import type { PageFacts } from "../admin/pages.ts";
import type { Address, ByteStream, Listener, Runtime } from "../runtime/contract.ts";
import type { Services } from "../connection/services.ts";
import { UnfinishedHeads } from "../request/unfinished_heads.ts";
import { DEFAULT_LIMITS, type Limits, UNFINISHED_HEADS } from "../settings/limits.ts";
import { DEFAULT_TIMEOUTS } from "../settings/timeouts.ts";
import { listenUnix } from "../listeners/unix_socket.ts";
import { SecretFiles } from "../text/secret_files.ts";
import { type ReadText, readTextFile } from "../text/text_file.ts";
import { Failover } from "../dialing/failover.ts";
import { Lifelines } from "../dialing/lifeline.ts";
import { OriginPool } from "../dialing/pool.ts";
import { Reserve } from "../dialing/reserve.ts";
import { Router } from "../dialing/router.ts";
import { parseChain } from "../dialing/upstream.ts";
import { Resolver } from "../dialing/resolver.ts";
import { VERSION } from "../version.ts";

/**
 * Starts a proxy; settles once every listener accepts.
 *
 * Rejects with a `UsageError` for an endpoint that cannot be read or is not safe, and with a `SocketError`
 * (see its `code`) where one cannot be bound; nothing is left listening then.
 *
 * @example
 * ```ts
 * import { createProxy } from "sluice";
 *
 * const proxy = await createProxy({ listen: "127.0.0.1:0" });
 * console.log(proxy.addresses);
 * await proxy.close();
 * ```
 */
export async function createProxy(options: ProxyOptions = {}): Promise<Proxy> {
  const endpoints = [options.listen ?? DEFAULT_ENDPOINT].flat().map(parseEndpoint);
  const privateDestinations = destinationsFor(endpoints, options);
  const server = new Server({ ...options, privateDestinations }, options.runtime ?? await detectRuntime());
  try {
    for (const endpoint of endpoints) await server.listen(endpoint);
    if (options.admin !== undefined) await server.listen(parseEndpoint(options.admin), "admin");
  } catch (error) {
    await server.close({ drain: 0 });
    throw error;
  }
  return server;
}

/** Descriptors that are not for connections: listeners, logs, name servers, a margin. */
const RESERVED_DESCRIPTORS = 64;

/** Connections beyond the limit that are still told 503; those beyond these are cut. */
const SURPLUS = 32;

class Server implements Proxy {
  readonly #runtime: Runtime;
  readonly #services: Services;
  readonly #clock: Clock;
  readonly #listeners: {
    readonly listener: Listener;
    readonly endpoint: Endpoint;
    readonly entrance: Entrance;
  }[] = [];
  readonly #connections = new Set<Connection>();
  readonly #prefix = randomHex(3);
  readonly #admission: Admission;
  readonly #workers: number;
  readonly #metrics: Metrics;
  readonly #readText: ReadText;
  readonly #others: () => Totals | undefined;
  readonly #connectPorts: readonly (number | string)[];
  #rules: Rules;
  #tokens: Tokens | undefined;
  #accepted = 0;
  #closed: Promise<void> | undefined;
  #onEmpty: () => void = () => {};

  constructor(options: ProxyOptions, runtime: Runtime) {
    const clock = options.clock ?? SYSTEM_CLOCK;
    const deadlines = new Deadlines(clock);
    const { workers = 1, log = SILENT_LOG } = options;
    const limits = shareOf({ ...DEFAULT_LIMITS, ...options.limits }, workers);
    const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    this.#runtime = runtime;
    this.#workers = workers;
    this.#clock = clock;
    this.#metrics = new Metrics(clock);
    this.#readText = options.readText ?? readTextFile;
    this.#others = options.others ?? (() => undefined);
    this.#tokens = options.tokens && new Tokens(options.tokens);
    this.#connectPorts = options.connectPorts ?? [];
    this.#rules = this.#readRules(options.rules ?? []);
    this.#services = {
      runtime,
      resolver: new Resolver({
        runtime,
        clock,
        hosts: options.hosts,
        servers: options.nameServers,
        timeout: timeouts.dns,
      }),
      ownAddresses: new OwnAddresses({ runtime, clock }),
      clock,
      deadlines,
      timeouts,
      limits,
      unfinishedHeads: new UnfinishedHeads({ clock, log, budget: UNFINISHED_HEADS }),
      name: options.name ?? `proxy-${randomHex(4)}`,
      contact: options.contact,
      rules: () => this.#rules,
      claimAssociation: () => this.#admission.claimAssociation(),
      refuseClient: (client) => this.#admission.refuse(client),
      forwarded: options.forwarded ?? "keep",
      privateDestinations: options.privateDestinations ?? "allow",
      log,
      pool: new OriginPool({ clock, deadlines }),
      router: new Router({
        proxies: [options.proxy ?? []].flat(),
        noProxy: options.noProxy ?? "",
        route: options.route,
        rules: () => this.#rules,
      }),
      failover: new Failover({ clock, log }),
      reserve: new Reserve({ clock, deadlines }),
      lifelines: new Lifelines({ runtime, clock, deadlines }),
      secrets: new SecretFiles(runtime, this.#readText),
      authenticate: options.tokens
        // Nobody guesses 256 bits, and to be kept waiting would tell a stranger that there is something to guess.
        ? ({ password }) => this.#tokens!.verify(password)
        : options.authenticate && new Gate(options.authenticate, { clock, perMinute: limits.attempts }).admit,
      scheme: options.tokens ? "Bearer" : "Basic",
      disguised: options.disguised ?? false,
      facts: () => this.#facts(),
      onRecord: (record) => {
        this.#metrics.add(record);
        options.onRecord?.(record);
      },
      onPage: options.recordPages ? options.onRecord : undefined,
      onTransition: options.onTransition,
      listening: () => this.addresses,
    };
    this.#admission = new Admission({
      clock,
      log: this.#services.log,
      limit: this.#connectionLimit(),
      places: options.places ??
        (limits.perClient < Infinity ? new CountedPlaces(limits.perClient) : undefined),
      clients: options.allowClients ?? [],
    });
  }

  /** A tunnel takes two descriptors; running out of them is worse than refusing (Bun would spin, see its PR #32705). */
  #connectionLimit(): number {
    const descriptors = this.#runtime.descriptorLimit() ?? Infinity;
    const users = this.#workers > 1 && this.#runtime.sharing?.().workers === "threads" ? this.#workers : 1;
    const fitting = Math.floor((descriptors - RESERVED_DESCRIPTORS) / users / 2) - SURPLUS;
    return Math.max(1, Math.min(this.#services.limits.connections, fitting));
  }

  get addresses(): readonly Address[] {
    return this.#listeners.map(({ listener }) => listener.address);
  }

  get connections(): number {
    return this.#connections.size;
  }

  #readRules(rules: readonly (string | Rule)[]): Rules {
    const read = rules.map((rule) => typeof rule === "string" ? parseRuleLine(rule, "rules") : rule);
    for (const rule of read) if (rule.kind === "route") parseChain(rule.via);
    return new Rules(read, { connectPorts: this.#connectPorts });
  }

  setRules(rules: readonly (string | Rule)[]): void {
    this.#rules = this.#readRules(rules);
  }

  setTokens(tokens: readonly string[]): void {
    this.#tokens = new Tokens(tokens);
  }

  cutUsers(isGone: (user: string) => boolean): number {
    const gone = [...this.#connections].filter(({ user }) => user !== undefined && isGone(user));
    for (const connection of gone) {
      connection.cut(
        new Fault("proxy_authentication_required", "The user was removed, or has another password"),
      );
    }
    return gone.length;
  }

  get totals(): Totals {
    return this.#metrics.totals();
  }

  #facts(): PageFacts {
    const others = this.#others();
    return {
      version: VERSION,
      name: this.#services.name,
      totals: others ? sumTotals(this.totals, others) : this.totals,
      draining: this.#closed !== undefined,
      listeners: this.#listeners
        .filter(({ entrance }) => entrance.role === "proxy")
        .map(({ listener: { address }, endpoint: { scheme, tls } }) => ({
          address,
          scheme,
          tls: tls !== undefined,
        })),
    };
  }

  async listen(endpoint: Endpoint, role?: Role): Promise<void> {
    const entrance = new Entrance(endpoint, role);
    (await entrance.load(this.#readText))();
    const { address, mode } = endpoint;
    const listener = "path" in address
      ? await listenUnix(this.#runtime, { address, mode })
      : await this.#runtime.listen({ address, shared: this.#workers > 1 });
    this.#listeners.push({ listener, endpoint, entrance });
    this.#accept(listener, entrance).catch((error) => {
      this.#services.log.error("A listener failed", error);
    });
  }

  async reloadFiles(): Promise<void> {
    const loaded = await Promise.all(this.#listeners.map(({ entrance }) => entrance.load(this.#readText)));
    for (const use of loaded) use();
    this.#services.secrets.forget();
  }

  async #accept(listener: Listener, entrance: Entrance): Promise<void> {
    for await (const stream of listener) {
      if (this.#admission.surplus <= SURPLUS) this.#serve(stream, entrance).catch(this.#failed);
      else stream.readable.cancel().catch(() => {});
    }
  }

  handle(stream: ByteStream): Promise<void> {
    return this.#serve(stream, PLAIN_ENTRANCE);
  }

  readonly #failed = (error: unknown): void => this.#services.log.error("A connection failed", error);

  #serve(stream: ByteStream, entrance: Entrance): Promise<void> {
    // A load balancer is not a client, but says later whose connection it passes on.
    const entry = this.#admission.enter(entrance.trusts ? undefined : stream.remote);
    const isClient = entrance.role === "proxy";
    if (isClient) this.#metrics.connected();
    const id = `${this.#prefix}-${(++this.#accepted).toString(36)}`;
    const onEnd = (): void => {
      this.#connections.delete(connection);
      if (isClient) this.#metrics.disconnected();
      entry.release();
      if (this.#connections.size === 0) this.#onEmpty();
    };
    const connection = new Connection({ id, stream, services: this.#services, entrance, entry, onEnd });
    this.#connections.add(connection);
    if (this.#closed) connection.drain();
    return runConnection(connection);
  }

  close({ drain = this.#services.timeouts.drain }: CloseOptions = {}): Promise<void> {
    if (drain === 0) this.#cutAll();
    return this.#closed ??= this.#close(drain);
  }

  async #close(drain: number): Promise<void> {
    const emptied = new Promise<void>((resolve) => this.#onEmpty = resolve);
    const stopped = Promise.all(this.#listeners.map(({ listener }) => listener.close()));
    for (const connection of this.#connections) connection.drain();
    if (drain === 0) this.#cutAll();
    const cancel = this.#clock.schedule(drain, () => this.#cutAll());
    await stopped;
    if (this.#connections.size > 0) await emptied;
    cancel();
    this.#services.pool.clear();
    this.#services.reserve.close();
  }

  #cutAll(): void {
    for (const connection of this.#connections) connection.cut(new Fault("proxy_shutdown"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What one of several workers may use of what all of them together may. */
function shareOf(limits: Limits, workers: number): Limits {
  return {
    ...limits,
    connections: Math.max(1, Math.floor(limits.connections / workers)),
    attempts: Math.ceil(limits.attempts / workers),
  };
}

function randomHex(bytes: number): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(bytes)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
