// Programs that are compiled for ES2022 have no `AsyncDisposable` of their own.
/// <reference lib="esnext.disposable" preserve="true" />

/**
 * A proxy as the library shows it: how it is to be, and what can be asked of it. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Totals } from "../observe/metrics.ts";
import type { AccessRecord } from "../observe/record.ts";
import type { AccessOptions } from "../options/access.ts";
import type { ListeningOptions } from "../options/listening.ts";
import type { LogOptions } from "../options/logs.ts";
import type { RuleOptions } from "../options/rules.ts";
import type { UpstreamOptions } from "../options/upstreams.ts";
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

/** What a proxy is to do. Every option has a safe default. `undefined` is the same as leaving an option out. */
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
   * How many proxies listen on the same TCP addresses, this one included, each in a process or thread of its own; 1 by
   * default. They share `limits.connections` and `limits.attempts` equally. See `Runtime.sharing`, and `places` for
   * `limits.perClient`.
   */
  readonly workers?: number;
  /** What the other workers have done: the proxy's pages tell the sum. None by default. */
  readonly others?: () => Totals | undefined;
  /** Reads what endpoints name: certificates, keys, tokens of upstreams. From the file system by default. */
  readonly readText?: ReadText;
  /** Counts the connections of each client for several proxies together, in place of `limits.perClient`. */
  readonly places?: Places;
  /** Chooses the route of each request. Where it answers `undefined`, and by default, `rules`, `noProxy` and `proxy` decide. */
  readonly route?: Route;
  /** Names, in lower case and without a last dot, with their IP addresses: no name server is asked for these. See `parseHosts`. */
  readonly hosts?: ReadonlyMap<string, readonly string[]>;
  /** Decides who may use the proxy. Without it, `users` and `tokens`, everybody who can reach a listener. */
  readonly authenticate?: Authenticate;
  /**
   * Bearer tokens that let HTTP clients in (`Proxy-Authorization: Bearer`), in place of `authenticate`: 256 bits at
   * least, in base64url. Any number of them, so that one can be replaced by another.
   */
  readonly tokens?: readonly string[];
  /** Called once for each request and each tunnel, when it has ended. */
  readonly onRecord?: (record: AccessRecord) => void;
  /** Sees every transition of every connection and of every request, for metrics and tests. */
  readonly onTransition?: OnTransition;
  /** Time limits in milliseconds. */
  readonly timeouts?: Partial<Timeouts>;
  /** How much a stranger may make grow. */
  readonly limits?: Partial<Limits>;
  /** Takes the diagnostics, such as `console`. Silent by default. */
  readonly log?: Log;
  /** What listens and dials. By default the runtime that the program is running in. */
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
  /**
   * What programs of this machine are told to reach it by, such as `http://127.0.0.1:8899`: its first listener. Undefined
   * where it has none.
   */
  readonly url: string | undefined;
  /** The TCP port of its first listener; undefined where that is a Unix socket, or there is none. */
  readonly port: number | undefined;
  /** Client connections under way. */
  readonly connections: number;
  /** What it has done since it started. */
  readonly totals: Totals;
  /**
   * Serves a client on a stream that comes from elsewhere, such as a pair in memory; settles when the connection is over. It
   * rejects for a bug alone, or where `onTransition` has thrown.
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
   * Takes these options in place of those in force, and reads the certificates of listeners and the files that upstreams
   * name anew. What is left out stays. All of it takes effect at once, for every request from now on, or nothing does: it
   * rejects with a `UsageError` where something cannot be used, or differs and takes a restart, such as `listen`.
   *
   * What is under way for users who were removed or have another password is broken off, unless `keepTunnels` says otherwise.
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
  reload(changes?: ProxyOptions): Promise<void>;
  /**
   * Breaks off what is under way for each user for whom `isGone` says true, as after a password was withdrawn, and returns how
   * many connections that were. Their records say why. New requests are a matter of `authenticate`.
   */
  cutUsers(isGone: (user: string) => boolean): number;
  /**
   * Stops accepting, lets what is under way finish for a while, breaks off what is left then, and settles when nothing is left.
   * Called again with `drain: 0`, it breaks the rest off at once.
   */
  close(options?: CloseOptions): Promise<void>;
}
