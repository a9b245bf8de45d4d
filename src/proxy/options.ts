// Programs that are compiled for ES2022 have no `AsyncDisposable` of their own.
/// <reference lib="esnext.disposable" preserve="true" />

/**
 * The library's view of a proxy: the options that it takes, and what a running one offers. Only types; nothing here runs.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../observe/log.ts";
import type { LiveConnection, Others, Selection } from "../observe/live.ts";
import type { RecentView } from "../observe/recent.ts";
import type { Totals } from "../observe/metrics.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { OpenTelemetry } from "../observe/spans.ts";
import type { AccessOptions } from "../options/access.ts";
import type { ListeningOptions } from "../options/listening.ts";
import type { LogOptions } from "../options/logs.ts";
import type { RuleOptions } from "../options/rules.ts";
import type { UpstreamOptions } from "../options/upstreams.ts";
import type { LimitStore } from "../limits/store.ts";
import type { Places } from "../policy/places.ts";
import type { Address, ByteStream, Runtime } from "../runtime/contract.ts";
import type { OnTransition } from "../request/on_transition.ts";
import type { Authenticate } from "../policy/authentication.ts";
import type { DestinationSettings } from "../settings/destinations.ts";
import type { HttpSettings } from "../settings/http.ts";
import type { Limits } from "../settings/limits.ts";
import type { Timeouts } from "../settings/timeouts.ts";
import type { ReadText } from "../text/text_file.ts";
import type { Route } from "../dialing/router.ts";

/** The options of a proxy. Every option has a safe default. `undefined` is the same as leaving an option out. */
export interface ProxyOptions
  extends
    ListeningOptions,
    AccessOptions,
    UpstreamOptions,
    RuleOptions,
    LogOptions,
    Partial<HttpSettings>,
    Partial<DestinationSettings> {
  /**
   * How many proxies listen on the same TCP addresses, this one included; 1 by default. Each runs in a process or thread
   * of its own. They share `limits.connections` and `limits.attempts` equally. See `Runtime.sharing`. `places` shares
   * `limits.perClient`.
   */
  readonly workers?: number;
  /** The other workers on the same addresses. The proxy's own pages show all together. None by default. */
  readonly others?: Others;
  /** Reads the files that endpoints name: certificates, keys, tokens of upstreams. From the file system by default. */
  readonly readText?: ReadText;
  /** Counts the connections of each client for several proxies together, in place of `limits.perClient`. */
  readonly places?: Places;
  /** Keeps the counts of limits for several proxies together. By default each proxy keeps its own, in memory. */
  readonly limitStore?: LimitStore;
  /** Chooses the route of each request. If it returns `undefined`, or by default, `rules`, `noProxy` and `proxy` decide. */
  readonly route?: Route;
  /** Host names and their IP addresses, as in /etc/hosts. Names are in lower case without a last dot. See `parseHosts`. */
  readonly hosts?: ReadonlyMap<string, readonly string[]>;
  /** Decides who may use the proxy. Without this option, `users` and `tokens`, everybody who can reach a listener may. */
  readonly authenticate?: Authenticate;
  /**
   * Bearer tokens that let HTTP clients in (`Proxy-Authorization: Bearer`), in place of `authenticate`. Each has at least
   * 256 bits, in base64url. There may be several, so that a new token can work before the old one goes.
   */
  readonly tokens?: readonly string[];
  /** Called once for each request and each tunnel, after its end. */
  readonly onRecord?: (record: AccessRecord) => void;
  /**
   * Called by `POST /reload` on the admin listener. If it rejects, the message is the answer. See `adminToken`. Without
   * this option there is nothing at this path.
   */
  readonly onReload?: () => Promise<void>;
  /**
   * The module `@opentelemetry/api` of the application, whose tracer gets a span for each request and each tunnel. With
   * `traceContext`, a client's own span is its parent.
   *
   * @example
   * ```ts
   * import { createProxy, type OpenTelemetry } from "sluice";
   *
   * // In an application: import * as api from "@opentelemetry/api";
   * declare const api: OpenTelemetry;
   * const start = () => createProxy({ opentelemetry: api, traceContext: true });
   * typeof start; // "function"
   * ```
   */
  readonly opentelemetry?: OpenTelemetry;
  /** Called at every transition of a connection or a request, for metrics and tests. */
  readonly onTransition?: OnTransition;
  /** Time limits in milliseconds. */
  readonly timeouts?: Partial<Timeouts>;
  /** How much clients and servers may use: connections, attempts, bytes. */
  readonly limits?: Partial<Limits>;
  /** Takes the diagnostics, such as `console`. Silent by default. */
  readonly log?: Log;
  /** Listens and dials. By default the runtime that the program runs in. */
  readonly runtime?: Runtime;
  /** Tells the time and sets timers; tests bring their own. */
  readonly clock?: Clock;
}

/** Options of `Proxy.close()`. */
export interface CloseOptions {
  /** Milliseconds that open requests and tunnels get to finish; `timeouts.drain` by default. */
  readonly drain?: number;
}

/** Options of `Proxy.reload()`. */
export interface ReloadOptions {
  /** Options that are left out get their defaults. Otherwise they stay as they are. */
  readonly whole?: boolean;
}

/** A running proxy. */
export interface Proxy extends AsyncDisposable {
  /** The addresses it listens on. A port 0 is replaced by the port that the system chose. */
  readonly addresses: readonly Address[];
  /**
   * The URL of its first listener for programs of this machine, such as `http://127.0.0.1:8899`. Undefined without a
   * listener.
   */
  readonly url: string | undefined;
  /** The TCP port of its first listener. Undefined if this is a Unix socket, or without a listener. */
  readonly port: number | undefined;
  /** How many client connections are open. */
  readonly connections: number;
  /** Its counts since it started. Bytes of what is under way are in them. */
  readonly totals: Totals;
  /**
   * The connections that are open, with the request on each: its bytes so far, and how fast they move.
   *
   * @example
   * ```ts
   * import { createProxy } from "sluice";
   *
   * const proxy = await createProxy({ listen: "127.0.0.1:0" });
   * for (const { user, target, receiveSpeed } of proxy.live()) console.log(user, target, receiveSpeed);
   * await proxy.close();
   * ```
   */
  live(): LiveConnection[];
  /** What has happened lately: the last refusals, the slowest targets, and how upstreams do. */
  recent(): RecentView;
  /**
   * Serves a client on a stream that no listener accepted, such as one end of a pair in memory. Settles at the end of the
   * connection. Rejects only after a bug, or if `onTransition` throws.
   *
   * @example
   * ```ts
   * import { createProxy } from "sluice";
   *
   * const proxy = await createProxy({
   *   listen: [],
   *   route: () => ({ handle: (target) => target.readable.pipeTo(target.writable) }),
   * });
   * const [up, down] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
   * const address = { host: "127.0.0.1", port: 50_000 };
   * const client = { readable: up.readable, writable: down.writable, local: address, remote: address };
   * const served = proxy.handle(client);
   * const writer = up.writable.getWriter();
   * await writer.write(new TextEncoder().encode("CONNECT echo.test:7 HTTP/1.1\r\nHost: echo.test:7\r\n\r\nhello"));
   * const closed = writer.close();
   * const answer = await new Response(down.readable).text();
   * answer.endsWith("\r\n\r\nhello"); // true
   * await Promise.all([closed, served]);
   * await proxy.close();
   * ```
   */
  handle(stream: ByteStream): Promise<void>;
  /**
   * Replaces the given options, and reads again the certificates of listeners and the files that upstreams name. Options
   * that are left out stay. All changes take effect together, for every request from now on. If one is invalid, or needs
   * a restart (such as a new `name`), none takes effect and the promise rejects with a `UsageError`.
   *
   * New listeners are opened first; if one cannot be bound, the promise rejects with a `SocketError` and nothing changes.
   * Listeners whose address stays refuse no client meanwhile. Those that are gone accept no more, and what is open there
   * may finish.
   *
   * The proxy then cuts the connections of users who were removed or have another password, and those whose request the
   * rules no longer allow, unless `keepTunnels` is set.
   *
   * @example
   * ```ts
   * import { createProxy } from "sluice";
   *
   * const proxy = await createProxy({ listen: "127.0.0.1:0" });
   * await proxy.reload({ rules: ["deny *.example.com"], timeouts: { idle: 60_000 } });
   * await proxy.close();
   * ```
   */
  reload(changes?: ProxyOptions, options?: ReloadOptions): Promise<void>;
  /**
   * Cuts the connections of each user for whom `isGone` returns true, for example after a password was withdrawn. Returns
   * how many it cut. Their records say why. It does not refuse new requests: `authenticate` does.
   */
  cutUsers(isGone: (user: string) => boolean): number;
  /**
   * Cuts the connections that fit everything that the selection names: `{ user: "ann" }`, `{ client: "192.0.2.1" }`,
   * `{ target: "example.com:443" }`, `{ id }`. Returns how many. Their records say why (`connection_closed`). New
   * requests are not refused.
   */
  cut(selection: Selection): number;
  /**
   * Stops accepting, gives open requests and tunnels time to finish, then cuts the rest. Settles when nothing is left. A
   * second call with `drain: 0` cuts the rest at once.
   */
  close(options?: CloseOptions): Promise<void>;
}
