/**
 * The proxy as a whole: its listeners, its open connections, and how it closes.
 *
 * @module
 */

import type { PageFacts } from "../admin/facts.ts";
import { formatAddress } from "../addresses/host.ts";
import { splitHostPort } from "../addresses/host_port.ts";
import { Connection } from "../connection/connection.ts";
import { type ConnectionEnd, runConnection } from "../connection/run.ts";
import { detectRuntime } from "../detect_runtime.ts";
import { Fault, toFault } from "../faults.ts";
import type { Endpoint } from "../listeners/endpoint.ts";
import { protocolFor } from "../protocols/client_protocols.ts";
import { ListenerSettings, PLAIN_LISTENER } from "../listeners/listener_settings.ts";
import { listenUnix, setSocketMode } from "../listeners/unix_socket.ts";
import { type LiveConnection, LiveView, type Selection, selects } from "../observe/live.ts";
import { mergeRecent, type RecentView } from "../observe/recent.ts";
import { sumTotals } from "../observe/metric_table.ts";
import type { Totals } from "../observe/metrics.ts";
import { askRules, judge } from "../policy/judgement.ts";
import type { Address, ByteStream, Listener, Runtime } from "../runtime/contract.ts";
import { VERSION } from "../version.ts";
import { assemble, type Assembly, SURPLUS } from "./assembly.ts";
import { type Configuration, configure, reconfigure } from "./configuration.ts";
import type { CloseOptions, Proxy, ProxyOptions, ReloadOptions } from "./options.ts";

/**
 * Starts a proxy. Settles when every listener accepts. Without options it serves the programs of this machine on
 * 127.0.0.1:8899.
 *
 * Rejects with a {@linkcode UsageError} if an option is unknown or invalid, or if others could use the proxy by accident
 * (see `allowOpen`). Rejects with a {@linkcode SocketError} (see its `code`) if a listener cannot be bound. After a
 * rejection nothing listens.
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
  const configuration = configure(options);
  const server = new Server(configuration, options.runtime ?? await detectRuntime());
  try {
    await server.start();
  } catch (error) {
    await server.close({ drain: 0 });
    throw error;
  }
  return server;
}

/** A listener that is bound. A reload may change what is spoken there. */
interface OpenListener {
  readonly listener: Listener;
  endpoint: Endpoint;
  settings: ListenerSettings;
  /** The settings so far, by which its connections are found. */
  readonly generations: WeakSet<ListenerSettings>;
}

/** A listener that a configuration asks for. */
interface Wanted {
  readonly endpoint: Endpoint;
  readonly settings: ListenerSettings;
}

class Server implements Proxy {
  readonly #runtime: Runtime;
  readonly #assembly: Assembly;
  /** In the order of the options; the listener of the own pages is last. */
  #listeners: readonly OpenListener[] = [];
  #addresses: readonly Address[] = [];
  readonly #connections = new Set<Connection>();
  readonly #prefix = crypto.randomUUID().slice(0, 6);
  readonly #view: LiveView;
  #accepted = 0;
  /** Settles when the last reload is over. */
  #reloaded: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #onEmpty: () => void = () => {};

  constructor(configuration: Configuration, runtime: Runtime) {
    this.#runtime = runtime;
    this.#assembly = assemble(configuration, runtime, {
      listening: () => this.addresses,
      pages: () => this.#facts(),
    });
    this.#view = new LiveView(this.#assembly.services.clock);
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get url(): string | undefined {
    const first = this.#first();
    return first && urlOf(first);
  }

  get port(): number | undefined {
    const address = this.#first()?.listener.address;
    return address && "port" in address ? address.port : undefined;
  }

  #first(): OpenListener | undefined {
    return this.#listeners.find(({ settings }) => settings.role === "proxy");
  }

  /** Opens the listeners. If one cannot be bound, none is left open. */
  async start(): Promise<void> {
    await this.#listen(this.#assembly.configuration, () => {});
  }

  reload(changes: ProxyOptions = {}, options: ReloadOptions = {}): Promise<void> {
    const reloaded = this.#reloaded.then(() => this.#reload(changes, options));
    this.#reloaded = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(changes: ProxyOptions, options: ReloadOptions): Promise<void> {
    const before = this.#assembly.configuration;
    const after = reconfigure(before, changes, options);
    await this.#listen(after, () => {
      this.#assembly.use(after);
      this.#assembly.services.secrets.forget();
    });
    if (after.options.keepTunnels) return;
    const { users } = after;
    if (before.users && users) this.cutUsers((user) => !users.keeps(user, before.users!));
    for (const connection of this.#connections) {
      const fault = denied(connection);
      if (fault) connection.cut(fault);
    }
  }

  /**
   * Has the listeners that a configuration asks for. Everything that may fail comes before `use`, which puts the
   * configuration in force. A listener whose address stays is not touched.
   */
  async #listen(configuration: Configuration, use: () => void): Promise<void> {
    const wanted = await wantedBy(configuration);
    const old = [...this.#listeners];
    const kept = wanted.map((one) => {
      const index = old.findIndex((open) => isAt(open, one));
      return index < 0 ? undefined : old.splice(index, 1)[0];
    });
    const opened: OpenListener[] = [];
    const listeners: OpenListener[] = [];
    try {
      for (const [i, one] of wanted.entries()) {
        const open = kept[i] ?? await this.#open(one, configuration);
        if (!kept[i]) opened.push(open);
        listeners.push(open);
      }
      for (const [i, { endpoint }] of wanted.entries()) await setSocketMode(kept[i]?.endpoint, endpoint);
      if (this.#closed) throw new Fault("proxy_shutdown");
    } catch (error) {
      await Promise.all(opened.map(({ listener }) => listener.close()));
      throw error;
    }
    use();
    this.#listeners = listeners;
    this.#addresses = listeners.map(({ listener }) => listener.address);
    for (const [i, { endpoint, settings }] of wanted.entries()) {
      listeners[i].endpoint = endpoint;
      listeners[i].settings = settings;
      listeners[i].generations.add(settings);
    }
    for (const open of opened) this.#accept(open);
    const closing = old.map(({ listener }) => listener.close());
    for (const connection of this.#connections) {
      if (old.some(({ generations }) => generations.has(connection.listener))) connection.drain();
    }
    await Promise.all(closing);
  }

  live(): LiveConnection[] {
    return [...this.#proxied()].map((connection) => this.#view.of(connection));
  }

  recent(): RecentView {
    const { recent, services: { failover } } = this.#assembly;
    return recent.view(failover.failing);
  }

  /** The connections but those that the proxy's own pages are shown on. */
  *#proxied(): Iterable<Connection> {
    for (const connection of this.#connections) {
      if (connection.role === "proxy" && connection.recording?.page === undefined) yield connection;
    }
  }

  cut(selection: Selection): number {
    const meant = [...this.#proxied()].filter((connection) => selects(selection, connection));
    for (const connection of meant) connection.cut(new Fault("connection_closed"));
    return meant.length;
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
    return this.#assembly.metrics.totals([...this.#proxied()].flatMap(({ recording }) => recording ?? []));
  }

  #facts(): PageFacts {
    const { options, settings, adminToken } = this.#assembly.configuration;
    const totals = (): Totals => {
      const others = options.others?.totals;
      return others ? sumTotals(this.totals, others) : this.totals;
    };
    return {
      version: VERSION,
      name: settings.name,
      // Summed up only for the pages that show them: a health check is no reason to.
      get totals() {
        return totals();
      },
      draining: this.#closed !== undefined,
      full: this.#assembly.admission.surplus > 0,
      cut: async (selection) => this.cut(selection) + (await options.others?.cut(selection) ?? 0),
      adminToken,
      reload: options.onReload,
      live: async () => [...this.live(), ...await options.others?.live() ?? []],
      recent: async () => mergeRecent([this.recent(), ...await options.others?.recent() ?? []]),
      certificates: () =>
        this.#listeners.flatMap(({ listener: { address }, settings }) =>
          settings.certificates.map((certificate) => ({ ...certificate, address }))
        ),
      again: () => this.#facts(),
      clock: this.#assembly.services.clock,
      listeners: this.#listeners
        .filter(({ settings }) => settings.role === "proxy")
        .map(({ listener: { address }, endpoint: { scheme, tls } }) => ({
          address,
          scheme,
          tls: tls !== undefined,
        })),
    };
  }

  async #open(
    { endpoint, settings }: Wanted,
    { options: { workers = 1 } }: Configuration,
  ): Promise<OpenListener> {
    const { address, mode } = endpoint;
    const listener = "path" in address
      ? await listenUnix(this.#runtime, { address, mode })
      : await this.#runtime.listen({ address, shared: workers > 1 });
    return { listener, endpoint, settings, generations: new WeakSet() };
  }

  async #accept(open: OpenListener): Promise<void> {
    try {
      for await (const stream of open.listener) {
        if (this.#assembly.admission.surplus <= SURPLUS) this.#serve(stream, open.settings, this.#ending);
        else stream.readable.cancel().catch(() => {});
      }
    } catch (error) {
      this.#assembly.services.log.error("A listener failed", error);
    }
  }

  handle(stream: ByteStream): Promise<void> {
    return new Promise((resolve, reject) => this.#serve(stream, PLAIN_LISTENER, { resolve, reject }));
  }

  readonly #ending: ConnectionEnd = {
    resolve() {},
    reject: (bug) => this.#assembly.services.log.error("A connection failed", bug),
  };

  #serve(stream: ByteStream, settings: ListenerSettings, end: ConnectionEnd): void {
    // A load balancer is not a client. Its PROXY protocol header names the client later.
    const entry = this.#assembly.admission.enter(settings.trusts ? undefined : stream.remote);
    const isClient = settings.role === "proxy";
    if (isClient) this.#assembly.metrics.connected();
    const id = `${this.#prefix}-${(++this.#accepted).toString(36)}`;
    const onEnd = (): void => {
      this.#connections.delete(connection);
      if (isClient) this.#assembly.metrics.disconnected();
      entry.release();
      if (this.#connections.size === 0) this.#onEmpty();
    };
    const connection = new Connection({
      id,
      stream,
      services: this.#assembly.services,
      listener: settings,
      entry,
      onEnd,
    });
    this.#connections.add(connection);
    if (this.#closed) connection.drain();
    runConnection(connection, end);
  }

  close({ drain = this.#assembly.configuration.settings.timeouts.drain }: CloseOptions = {}): Promise<void> {
    if (drain === 0) this.#cutAll();
    return this.#closed ??= this.#close(drain);
  }

  async #close(drain: number): Promise<void> {
    const emptied = new Promise<void>((resolve) => this.#onEmpty = resolve);
    const stopped = Promise.all(this.#listeners.map(({ listener }) => listener.close()));
    for (const connection of this.#connections) connection.drain();
    if (drain === 0) this.#cutAll();
    const { clock, pool, reserve } = this.#assembly.services;
    const cancel = clock.schedule(drain, () => this.#cutAll());
    await stopped;
    if (this.#connections.size > 0) await emptied;
    cancel();
    this.#assembly.limits.close();
    pool.clear();
    reserve.close();
  }

  #cutAll(): void {
    for (const connection of this.#connections) connection.cut(new Fault("proxy_shutdown"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The listeners of a configuration, with their certificates. */
function wantedBy({ endpoints, admin, readText }: Configuration): Promise<Wanted[]> {
  const roles = [
    ...endpoints.map((endpoint) => ({ endpoint, role: "proxy" }) as const),
    ...admin ? [{ endpoint: admin, role: "admin" } as const] : [],
  ];
  return Promise.all(roles.map(async ({ endpoint, role }) => {
    const settings = new ListenerSettings(endpoint, role);
    (await settings.load(readText))();
    return { endpoint, settings };
  }));
}

/** Whether a listener is where another is wanted. Port 0 is any port, so it stays the port that it has got. */
function isAt(open: OpenListener, { endpoint, settings }: Wanted): boolean {
  const address = formatAddress(endpoint.address);
  return formatAddress(open.listener.address) === address ||
    formatAddress(open.endpoint.address) === address && open.settings.role === settings.role;
}

/** Why a request that is under way would not be allowed any more; undefined if it would, or if there is none. */
function denied({ services, question, recording }: Connection): Fault | undefined {
  if (!question) return undefined;
  try {
    const asked = askRules(services, question);
    const dialed = recording?.route === "direct" ? splitHostPort(recording.dialed ?? "") : undefined;
    if (dialed) judge(services, asked, { address: { host: dialed.host, port: Number(dialed.port) } });
  } catch (error) {
    return toFault(error);
  }
}

/** The URL of a listener for programs of this machine. */
function urlOf({ listener: { address }, endpoint: { scheme, tls } }: OpenListener): string {
  if ("path" in address) return formatAddress(address);
  const { host, port } = address;
  const own = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const { urlSchemes } = protocolFor(scheme);
  return `${tls ? urlSchemes.tls : urlSchemes.plain}://${formatAddress({ host: own, port })}`;
}
