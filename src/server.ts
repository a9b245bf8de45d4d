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
import { Fault } from "./faults.ts";
import { type Log, SILENT_LOG } from "./observe/log.ts";
import type { AccessRecord } from "./observe/record.ts";
import type { Protocol } from "./protocols/handshake.ts";
import type { ForwardedMode } from "./protocols/http1_forwarded.ts";
import type { Address, ByteStream, Listener, Runtime } from "./runtime.ts";
import type { Authenticate, OnTransition, Services } from "./services.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS, type Limits, type Timeouts } from "./settings.ts";
import { OriginPool } from "./upstreams/pool.ts";

/** How a proxy is to be. Everything has a safe default. */
export interface ProxyOptions {
  /** Endpoints such as `127.0.0.1:8899`, `socks5://[::1]:1080`, `unix:/run/proxy.sock`. Port 0 picks a free one. */
  readonly listen?: string | readonly string[];
  /** Lets everybody in on listeners beyond loopback, without `authenticate`. */
  readonly allowOpen?: boolean;
  /**
   * Whether clients may reach private, loopback, link-local and other addresses that the public internet does not
   * have. By default they may not where a listener can be reached from beyond this machine, and may otherwise:
   * programs of this machine can go there anyway.
   */
  readonly privateDestinations?: "allow" | "deny";
  /** Decides who may use the proxy. Without it, everybody who can reach a listener. */
  readonly authenticate?: Authenticate;
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
  const { listen = DEFAULT_ENDPOINT, authenticate, allowOpen = false } = options;
  const endpoints = [listen].flat().map(parseEndpoint);
  const addresses = endpoints.map(({ address }) => address);
  if (!authenticate && !allowOpen) refuseOpenListeners(addresses);
  const privateDestinations = options.privateDestinations ?? (beyondLoopback(addresses) ? "deny" : "allow");
  const server = new Server({ ...options, privateDestinations }, options.runtime ?? await detectRuntime());
  try {
    for (const endpoint of endpoints) await server.listen(endpoint);
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
  readonly #listeners: Listener[] = [];
  readonly #connections = new Set<Connection>();
  readonly #prefix = randomHex(2);
  readonly #limit: number;
  #accepted = 0;
  #nextWarning = -Infinity;
  #closed: Promise<void> | undefined;
  #onEmpty: () => void = () => {};

  constructor(options: ProxyOptions, runtime: Runtime) {
    const clock = options.clock ?? SYSTEM_CLOCK;
    const deadlines = new Deadlines(clock);
    this.#runtime = runtime;
    this.#clock = clock;
    this.#services = {
      runtime,
      clock,
      deadlines,
      timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      name: options.name ?? `proxy-${randomHex(4)}`,
      forwarded: options.forwarded ?? "keep",
      privateDestinations: options.privateDestinations ?? "allow",
      log: options.log ?? SILENT_LOG,
      pool: new OriginPool({ clock, deadlines }),
      authenticate: options.authenticate,
      onRecord: options.onRecord ?? (() => {}),
      onTransition: options.onTransition,
      listening: () => this.addresses,
    };
    this.#limit = this.#connectionLimit();
  }

  /** A tunnel takes two descriptors; running out of them is worse than refusing (Bun would spin, see its PR #32705). */
  #connectionLimit(): number {
    const descriptors = this.#runtime.descriptorLimit() ?? Infinity;
    const fitting = Math.floor((descriptors - RESERVED_DESCRIPTORS) / 2) - SURPLUS;
    return Math.max(1, Math.min(this.#services.limits.connections, fitting));
  }

  get addresses(): readonly Address[] {
    return this.#listeners.map((listener) => listener.address);
  }

  get connections(): number {
    return this.#connections.size;
  }

  async listen({ address, scheme }: Endpoint): Promise<void> {
    const listener = await this.#runtime.listen({ address });
    this.#listeners.push(listener);
    this.#accept(listener, scheme === "auto" ? undefined : [scheme]).catch((error) => {
      this.#services.log.error("A listener failed", error);
    });
  }

  async #accept(listener: Listener, accepts: readonly Protocol[] | undefined): Promise<void> {
    for await (const stream of listener) {
      if (this.#connections.size < this.#limit + SURPLUS) this.#serve(stream, accepts).catch(this.#failed);
      else stream.readable.cancel().catch(() => {});
    }
  }

  handle(stream: ByteStream): Promise<void> {
    return this.#serve(stream, undefined);
  }

  readonly #failed = (error: unknown): void => this.#services.log.error("A connection failed", error);

  async #serve(stream: ByteStream, accepts: readonly Protocol[] | undefined): Promise<void> {
    const surplus = this.#connections.size >= this.#limit ? this.#overload() : undefined;
    const id = `${this.#prefix}-${(++this.#accepted).toString(36)}`;
    const connection = new Connection({ id, stream, services: this.#services, accepts, surplus });
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
    const stopped = Promise.all(this.#listeners.map((listener) => listener.close()));
    for (const connection of this.#connections) connection.drain();
    if (drain === 0) this.#cutAll();
    const cancel = this.#clock.schedule(drain, () => this.#cutAll());
    await stopped;
    if (this.#connections.size > 0) await emptied;
    cancel();
    this.#services.pool.clear();
  }

  #cutAll(): void {
    for (const connection of this.#connections) connection.cut(new Fault("proxy_shutdown"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function randomHex(bytes: number): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(bytes)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
