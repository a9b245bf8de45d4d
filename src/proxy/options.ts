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
import type { Places } from "../policy/places.ts";
import type { Rule } from "../policy/rule.ts";
import type { ForwardedMode } from "../settings/http.ts";
import type { Address, ByteStream, Runtime } from "../runtime/contract.ts";
import type { OnTransition } from "../request/on_transition.ts";
import type { Authenticate } from "../policy/authentication.ts";
import type { Limits } from "../settings/limits.ts";
import type { Timeouts } from "../settings/timeouts.ts";
import type { ReadText } from "../text/text_file.ts";
import type { Route } from "../dialing/router.ts";

/** How a proxy is to be. Everything has a safe default. */
export interface ProxyOptions {
  /** Endpoints such as `127.0.0.1:8899`, `socks5://[::1]:1080`, `unix:/run/proxy.sock`. Port 0 picks a free one. */
  readonly listen?: string | readonly string[];
  /** A listener for the proxy's own pages alone: its status, metrics and health. None by default. */
  readonly admin?: string;
  /**
   * Lets everybody in who gets to an exposed listener, without `authenticate`. A listener is exposed where others than
   * the user of this machine get there: it listens beyond loopback, it trusts a load balancer to pass clients on
   * (`proxy-protocol=`), or its `mode` lets others connect to a Unix socket. Streams for `Proxy.handle` do not count.
   */
  readonly allowOpen?: boolean;
  /**
   * Whether clients may reach private, loopback, link-local and other addresses that the public internet does not
   * have. By default they may not where a listener is exposed (see `allowOpen`), and may otherwise: programs of this
   * machine can go there anyway.
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
   * `limits.connections` and `limits.attempts` are meant for all of them: each takes its part. See `Runtime.sharing`,
   * and `places` for `limits.perClient`.
   */
  readonly workers?: number;
  /** What the others of these have done, which the pages tell together with what this one has. */
  readonly others?: () => Totals | undefined;
  /** Reads what endpoints name: certificates, keys, tokens of upstreams. From the file system by default. */
  readonly readText?: ReadText;
  /** Counts the connections of each client for several proxies together, in place of `limits.perClient`. */
  readonly places?: Places;
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
  /** Whether `onRecord` is called for the proxy's own pages, too. By default they leave no record; metrics never count them. */
  readonly recordPages?: boolean;
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
  /** What it has done since it started. */
  readonly totals: Totals;
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
  /**
   * Breaks off what is under way for each user for whom `isGone` says true, as after a password was withdrawn, and returns how
   * many connections that were. Their records say why. New requests are a matter of `authenticate`.
   */
  cutUsers(isGone: (user: string) => boolean): number;
  /** Stops accepting, lets what is under way finish for a while, and settles when nothing is left. */
  close(options?: CloseOptions): Promise<void>;
}
