/**
 * The proxy as a whole: its listeners, the connections under way, and how it comes to rest.
 *
 * @module
 */

import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
import { Connection } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { detectRuntime } from "./detect_runtime.ts";
import {
  beyondLoopback,
  DEFAULT_ENDPOINT,
  type Endpoint,
  parseEndpoint,
  refuseOpenListeners,
} from "./endpoint.ts";
import { Entrance, PLAIN_ENTRANCE, type Role } from "./entrance.ts";
import { Fault } from "./faults.ts";
import { type Log, SILENT_LOG } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import type { AccessRecord } from "./observe/record.ts";
import { OwnAddresses } from "./policy/own_addresses.ts";
import { Gate } from "./policy/attempts.ts";
import { blockContains, type IpBlock, needIpBlock } from "./policy/ip_block.ts";
import type { Rule } from "./policy/rule.ts";
import { Rules } from "./policy/rules.ts";
import { Tokens } from "./policy/tokens.ts";
import { parseRuleLine } from "./policy/rules_file.ts";
import { parseIp, unmapped } from "./protocols/host.ts";
import type { PageFacts } from "./pages.ts";
import type { ForwardedMode } from "./protocols/http1_forwarded.ts";
import type { Address, ByteStream, Listener, Runtime } from "./runtime.ts";
import type { Authenticate, OnTransition, Services } from "./services.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type Limits, type Timeouts } from "./settings.ts";
import { listenUnix } from "./unix_socket.ts";
import { SecretFiles } from "./secret_files.ts";
import { Failover } from "./upstreams/failover.ts";
import { OriginPool } from "./upstreams/pool.ts";
import { Reserve } from "./upstreams/reserve.ts";
import { type Route, Router } from "./upstreams/router.ts";
import { parseChain } from "./upstreams/upstream.ts";
import { Resolver } from "./upstreams/resolver.ts";
import { VERSION } from "./version.ts";

/** How a proxy is to be. Everything has a safe default. */
export interface ProxyOptions {
  /** Endpoints such as `127.0.0.1:8899`, `socks5://[::1]:1080`, `unix:/run/proxy.sock`. Port 0 picks a free one. */
  readonly listen?: string | readonly string[];
  /** A listener for the proxy's own pages alone: its status, metrics and health. None by default. */
  readonly admin?: string;
  /** Lets everybody in on listeners beyond loopback, without `authenticate`. */
  readonly allowOpen?: boolean;
  /**
   * Whether clients may reach private, loopback, link-local and other addresses that the public internet does not
   * have. By default they may not where a listener can be reached from beyond this machine, and may otherwise:
   * programs of this machine can go there anyway.
   */
  readonly privateDestinations?: "allow" | "deny";
  /**
   * Who may go where, one line as in a rules file each: `deny *.example.com`, `allow 192.0.2.0/24 port=443 user=ann`.
   * The first that matches decides; where one allows something, what none of them matches is denied.
   */
  readonly rules?: readonly (string | Rule)[];
  /**
   * Upstreams by which targets are reached: endpoints such as `http://USER:PASSWORD@HOST:PORT` or
   * `socks5h://127.0.0.1:1080`, with commas between those of a chain; of several, the first that works. Directly by
   * default.
   */
  readonly proxy?: string | readonly string[];
  /**
   * How many proxies listen on the same TCP addresses, in processes or threads of which this one is one; 1 by default.
   * `limits.connections` and `limits.attempts` are meant for all of them: each takes its part. The pages tell what this
   * one has done. See `Runtime.sharing`.
   */
  readonly workers?: number;
  /** Targets that go past the upstreams, as in the environment variable NO_PROXY. */
  readonly noProxy?: string;
  /** Chooses the way of each request; what it leaves open goes as `rules`, `noProxy` and `proxy` have it. */
  readonly route?: Route;
  /** Ports, or ranges such as `8000-8999`, that tunnels may lead to; all by default. */
  readonly connectPorts?: readonly (number | string)[];
  /** Blocks of IP addresses whose clients are served; all by default. Clients on Unix sockets always are. */
  readonly allowClients?: readonly string[];
  /** Names, in lower case and without a last dot, with their IP addresses: for these nobody is asked. See `parseHosts`. */
  readonly hosts?: ReadonlyMap<string, readonly string[]>;
  /** Name servers to ask in place of the system's, `IP`, `IP:PORT` or `[IPV6]:PORT` each. */
  readonly nameServers?: readonly string[];
  /** Decides who may use the proxy. Without it, everybody who can reach a listener. */
  readonly authenticate?: Authenticate;
  /**
   * Bearer tokens that let HTTP clients in (`Proxy-Authorization: Bearer`), in place of `authenticate`: 256 bits at
   * least, in base64url. Any number of them, so that one can be replaced by another.
   */
  readonly tokens?: readonly string[];
  /** Answers strangers like a web server that has nothing for them, so that nobody finds a proxy by probing. */
  readonly disguised?: boolean;
  /** Called once for each request and each tunnel, when it has ended. */
  readonly onRecord?: (record: AccessRecord) => void;
  /** Sees every transition of every connection. */
  readonly onTransition?: OnTransition;
  /** Time limits in milliseconds. */
  readonly timeouts?: Partial<Timeouts>;
  /** How much a stranger may make grow. */
  readonly limits?: Partial<Limits>;
  /** The token that names this deployment in Via and Proxy-Status; a random one by default, so that loops are found. */
  readonly name?: string;
  /** Whom a client may ask that was refused: an address or a sentence for the error pages. */
  readonly contact?: string;
  /** What origins are told of clients, in Forwarded and X-Forwarded-For; `keep` by default: nothing by us. */
  readonly forwarded?: ForwardedMode;
  /** Diagnostics; silent by default. */
  readonly log?: Log;
  /** The runtime to listen and dial with; the one that we are in by default. */
  readonly runtime?: Runtime;
  /** Time; tests bring their own. */
  readonly clock?: Clock;
}

/** How a proxy is closed. */
export interface CloseOptions {
  /** Milliseconds that requests and tunnels under way get to finish; `timeouts.drain` by default. */
  readonly drain?: number;
}

/** A running proxy. */
export interface Proxy extends AsyncDisposable {
  /** Where it listens, with the ports that the system chose. */
  readonly addresses: readonly Address[];
  /** Client connections under way. */
  readonly connections: number;
  /** Serves a client on a stream that comes from elsewhere; settles when the connection is over. */
  handle(stream: ByteStream): Promise<void>;
  /**
   * Reads the certificates of listeners, and the files that upstreams name, anew. Rejects with a `UsageError` where a
   * certificate cannot be read; what was read before stays in use.
   */
  reloadFiles(): Promise<void>;
  /** Takes these rules in place of those that there are, for every request from now on. */
  setRules(rules: readonly (string | Rule)[]): void;
  /** Takes these tokens in place of those that there are. */
  setTokens(tokens: readonly string[]): void;
  /** Stops accepting, lets what is under way finish for a while, and settles when nothing is left. */
  close(options?: CloseOptions): Promise<void>;
}

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
  const { listen = DEFAULT_ENDPOINT, tokens, authenticate = tokens, allowOpen = false, allowClients = [] } =
    options;
  const endpoints = [listen].flat().map(parseEndpoint);
  const addresses = endpoints.map(({ address }) => address);
  if (!authenticate && !allowOpen && allowClients.length === 0) refuseOpenListeners(addresses);
  const privateDestinations = options.privateDestinations ?? (beyondLoopback(addresses) ? "deny" : "allow");
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
  readonly #limit: number;
  readonly #workers: number;
  readonly #metrics: Metrics;
  readonly #connectPorts: readonly (number | string)[];
  readonly #clients: readonly IpBlock[];
  #rules: Rules;
  #tokens: Tokens | undefined;
  #accepted = 0;
  #associations = 0;
  #nextWarning = -Infinity;
  #closed: Promise<void> | undefined;
  #onEmpty: () => void = () => {};

  constructor(options: ProxyOptions, runtime: Runtime) {
    const clock = options.clock ?? SYSTEM_CLOCK;
    const deadlines = new Deadlines(clock);
    const { workers = 1 } = options;
    const limits = shareOf({ ...DEFAULT_LIMITS, ...options.limits }, workers);
    const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    this.#runtime = runtime;
    this.#workers = workers;
    this.#clock = clock;
    this.#metrics = new Metrics(clock);
    this.#tokens = options.tokens && new Tokens(options.tokens);
    this.#connectPorts = options.connectPorts ?? [];
    this.#clients = (options.allowClients ?? []).map(needIpBlock);
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
      name: options.name ?? `proxy-${randomHex(4)}`,
      contact: options.contact,
      rules: () => this.#rules,
      claimAssociation: () => this.#claimAssociation(),
      refuseClient: (client) => this.#refuseClient(client),
      forwarded: options.forwarded ?? "keep",
      privateDestinations: options.privateDestinations ?? "allow",
      log: options.log ?? SILENT_LOG,
      pool: new OriginPool({ clock, deadlines }),
      router: new Router({
        proxies: [options.proxy ?? []].flat(),
        noProxy: options.noProxy ?? "",
        route: options.route,
        rules: () => this.#rules,
      }),
      failover: new Failover({ clock }),
      reserve: new Reserve({ clock, deadlines }),
      secrets: new SecretFiles(runtime),
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
      onTransition: options.onTransition,
      listening: () => this.addresses,
    };
    this.#limit = this.#connectionLimit();
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

  /** An association has up to four descriptors, and so counts as two connections. */
  #claimAssociation(): () => void {
    if (this.#connections.size + this.#associations >= this.#limit) throw this.#overload();
    this.#associations++;
    let claimed = true;
    return () => {
      if (claimed) this.#associations--;
      claimed = false;
    };
  }

  setTokens(tokens: readonly string[]): void {
    this.#tokens = new Tokens(tokens);
  }

  #refuseClient(client: Address): Fault | undefined {
    if (this.#clients.length === 0 || "path" in client) return undefined;
    const octets = unmapped(parseIp(client.host)!);
    if (this.#clients.some((block) => blockContains(block, octets))) return undefined;
    return new Fault("http_request_denied", `Clients from ${client.host} are not served`);
  }

  #facts(): PageFacts {
    return {
      version: VERSION,
      name: this.#services.name,
      totals: this.#metrics.totals(),
      open: this.#connections.size,
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
    await entrance.load();
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
    this.#services.secrets.forget();
    for (const { entrance } of this.#listeners) await entrance.load();
  }

  async #accept(listener: Listener, entrance: Entrance): Promise<void> {
    for await (const stream of listener) {
      if (this.#connections.size < this.#limit + SURPLUS) this.#serve(stream, entrance).catch(this.#failed);
      else stream.readable.cancel().catch(() => {});
    }
  }

  handle(stream: ByteStream): Promise<void> {
    return this.#serve(stream, PLAIN_ENTRANCE);
  }

  readonly #failed = (error: unknown): void => this.#services.log.error("A connection failed", error);

  async #serve(stream: ByteStream, entrance: Entrance): Promise<void> {
    const refusal = this.#connections.size + this.#associations >= this.#limit ? this.#overload() : undefined;
    this.#metrics.connected();
    const id = `${this.#prefix}-${(++this.#accepted).toString(36)}`;
    const connection = new Connection({ id, stream, services: this.#services, entrance, refusal });
    this.#connections.add(connection);
    if (this.#closed) connection.drain();
    try {
      await connection.run();
    } finally {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) this.#onEmpty();
    }
  }

  /** What a client is told that is one too many; the operator is told once a minute. */
  #overload(): Fault {
    const now = this.#clock.now();
    if (now >= this.#nextWarning) {
      this.#nextWarning = now + 60_000;
      this.#services.log.warn(
        `Refusing clients: ${this.#limit} are connected, which is --max-connections or what the limit of open files ` +
          `(ulimit -n) leaves room for`,
      );
    }
    return new Fault("connection_limit_reached");
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
