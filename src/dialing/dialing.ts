/**
 * How a request gets to its target: the route that it takes, a kept connection or a new one, and the dial.
 *
 * @module
 */

import { formatAddress } from "../addresses/host.ts";
import { FAULTS } from "../fault_table.ts";
import { Fault, toFault } from "../faults.ts";
import type { Log } from "../observe/log.ts";
import type { Recording } from "../observe/record.ts";
import { judge, type JudgementServices, judgeUnresolved } from "../policy/judgement.ts";
import { refuseOwnListeners } from "../policy/own_listeners.ts";
import type { RuleRequest } from "../policy/rule_request.ts";
import type { Rules } from "../policy/rules.ts";
import { UpstreamFault } from "../protocols/common/connector.ts";
import type { ExchangeRequest, TunnelRequest } from "../protocols/common/handshake.ts";
import { viaOf } from "../protocols/http1/forwarding.ts";
import type { Clock } from "../runtime/clock.ts";
import type { ByteStream, Runtime, TcpAddress } from "../runtime/contract.ts";
import type { Settings } from "../settings/settings.ts";
import { Channel } from "../streams/channel.ts";
import { streamPair } from "../streams/stream_pair.ts";
import type { SecretFiles } from "../text/secret_files.ts";
import type { Cuttable } from "../traffic/watch.ts";
import { type ChainConnection, type ChainOptions, judgeNamed } from "./chain.ts";
import type { Failover } from "./failover.ts";
import type { TakenRoute } from "./lifeline.ts";
import type { OriginPool } from "./pool.ts";
import type { Reserve } from "./reserve.ts";
import type { Resolver } from "./resolver.ts";
import { resolvesRemotely, routeKey } from "./route_key.ts";
import type { ChosenRoute, Router } from "./router.ts";
import { isTarget } from "./upstream_schemes.ts";

/** What dialing uses. */
export interface DialingServices extends JudgementServices {
  readonly runtime: Pick<Runtime, "connectTls" | "dial" | "ownAddresses">;
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly settings: Settings;
  readonly log: Log;
  readonly secrets: SecretFiles;
  readonly router: Router;
  readonly failover: Failover;
  readonly pool: OriginPool<TargetConnection>;
  readonly reserve: Reserve;
}

/** The client's connection that a dial is for. The connections that it has opened are kept for it alone. */
export interface Caller {
  /** Unique among the proxy's connections. */
  readonly id: string;
  readonly services: DialingServices;
  readonly client: Channel;
  /** What to cut to break the dial off. */
  cuttable: Cuttable | undefined;
  /** Restarts the time for a dial when another upstream is tried. */
  setDeadline(deadline: "connect"): void;
}

/** A connection that leads to the target, and how. */
export interface TargetConnection extends Pick<ChainConnection, "proxy" | "resolved">, TakenRoute {
  readonly channel: Channel;
  /** What is behind the connection. Requests of the client with the same key may share it. Undefined: none may. */
  readonly key: string | undefined;
  /** The user that it was opened for: a client may change its user from one request to the next. */
  readonly user: string | undefined;
  /**
   * Ends the client's connection together with this one, which the origin has authenticated for that client. Undefined
   * on others.
   */
  readonly lost?: () => void;
  /** How the record names the route. */
  readonly route: string;
  /** Whether requests can take another chain if this one fails. */
  readonly replaceable: boolean;
  /** What has judged the address of a direct connection. While both are in force, the next request need not ask again. */
  readonly judgedBy?: { readonly rules: Rules; readonly settings: Settings };
}

/** What to dial for. */
export interface DialRequest {
  readonly request: TunnelRequest | ExchangeRequest;
  readonly question: RuleRequest;
  readonly recording: Recording;
}

/**
 * The route of a request. Throws a `Fault` if the route refuses it, or if an upstream will resolve the host and the
 * host spells an address that the client must not reach. Needs a promise only if it has to ask a function.
 */
export function chooseRoute(caller: Caller, dialRequest: DialRequest): ChosenRoute | Promise<ChosenRoute> {
  const { request, question } = dialRequest;
  const chosen = caller.services.router.choose(
    question,
    request.kind === "exchange" ? request.http.head : undefined,
  );
  return chosen instanceof Promise
    ? chosen.then((chosen) => allowed(caller, question, chosen))
    : allowed(caller, question, chosen);
}

function allowed({ services }: Caller, question: RuleRequest, chosen: ChosenRoute): ChosenRoute {
  if ("alternatives" in chosen && chosen.alternatives.some(resolvesRemotely)) {
    judgeUnresolved(services, question, {
      guarded: chosen.alternatives.some((chain) => !chain[0] || !isTarget(chain[0])),
    });
  }
  return chosen;
}

/** Datagrams go directly or not at all. Throws a `Fault` if the route leads through an upstream. */
export async function requireDirectRoute({ services }: Caller, question: RuleRequest): Promise<void> {
  const chosen = await services.router.choose(question);
  if ("alternatives" in chosen && chosen.alternatives.some((chain) => chain.length === 0)) return;
  throw new Fault("http_request_denied", "Datagrams do not go through an upstream", { socks5: 7 });
}

/**
 * A kept connection through one of these chains, for another request. If `fresh`, only one that was used a moment ago.
 */
export function takeKept(
  caller: Caller,
  chosen: ChosenRoute,
  { request, question }: DialRequest,
  fresh: boolean,
): TargetConnection | undefined {
  const { services } = caller;
  const { pool, failover } = services;
  if (!("alternatives" in chosen)) return undefined;
  for (const chain of chosen.alternatives) {
    const kept = pool.take(caller, routeKey(chain, request.target), fresh);
    if (!kept) {
      // An upstream in its pause gives way to the kept connections of others. One that may be tried is dialed first: if
      // kept connections always went first, it would never be tried again.
      if (failover.pauses(chain)) continue;
      return undefined;
    }
    if (kept.user !== question.user) {
      kept.channel.drop(OTHER_USER);
      kept.lost?.();
      return undefined;
    }
    try {
      judgeKept(services, question, kept);
      return kept;
    } catch {
      // The kept connection suits other requests. Dialing may find another address of the target that this one may
      // reach.
      pool.put(caller, kept);
    }
  }
  return undefined;
}

// Shared by all requests: a stack trace for each would cost more than the close.
const OTHER_USER = new Fault("connection_terminated", "The connection was opened for another user");

/**
 * Judges for each request that takes a kept connection what was judged at dialing. A direct connection leads the same
 * client and user to the same target as before, so only a reload can change the verdict.
 */
function judgeKept(
  services: DialingServices,
  question: RuleRequest,
  { chain, channel, resolved, judgedBy }: TargetConnection,
): void {
  if (chain.length === 0) {
    if (judgedBy?.rules === services.rules() && judgedBy.settings === services.settings) return;
    return judge(services, question, { address: channel.remote as TcpAddress, ends: channel });
  }
  judgeNamed(chain, question, (address) => judge(services, question, { address }));
  if (resolved) judge(services, question, { address: resolved });
}

/** Connects to the target of a request. */
export function dial(
  caller: Caller,
  chosen: ChosenRoute,
  { request, question, recording }: DialRequest,
): Promise<TargetConnection> {
  const { services } = caller;
  const { user } = question;
  if ("handle" in chosen) return Promise.resolve(handled(chosen.handle, services, user));
  const controller = new AbortController();
  caller.cuttable = { cut: (fault) => controller.abort(fault) };
  const judgedBy = { rules: services.rules(), settings: services.settings };
  const egress = judgedBy.rules.bind(question)?.terms;
  const dialing = services.failover.dial(chosen.alternatives, {
    kind: request.kind,
    target: request.target,
    client: caller.client,
    via: request.kind === "exchange"
      ? viaOf(request.http, services.settings.name)
      : request.via ?? `1.1 ${services.settings.name}`,
    trace: recording.trace,
  }, {
    ...chainOptions(
      services,
      controller.signal,
      (address, channel) => judge(services, question, { address, ends: channel }),
    ),
    ...egress && {
      from: (host) => egress.addressFor(host, { id: caller.id, user }, services.runtime),
    },
    timeout: services.settings.timeouts.connect,
    caller,
    reserve: services.reserve,
  });
  return dialing.then(({ channel, address, dnsTime, dialTime, from, proxy, resolved, route, chain }) => {
    recording.from = from;
    recording.dialed = formatAddress(address);
    recording.dnsTime = dnsTime;
    recording.dialTime = dialTime;
    const replaceable = chosen.alternatives.length > 1;
    const key = routeKey(chain, request.target);
    return { channel, proxy, resolved, route, chain, address, replaceable, user, key, judgedBy };
  });
}

/**
 * Options for a dial. `judgeTarget` is as in `ChainOptions`; upstreams are only kept from leading to this proxy itself.
 */
function chainOptions(
  { runtime, resolver, clock, settings, secrets, listening }: DialingServices,
  signal: AbortSignal,
  judgeTarget: ChainOptions["judge"],
): ChainOptions {
  return {
    runtime,
    resolver,
    clock,
    signal,
    settings,
    judge: judgeTarget,
    judgeUpstream: (address, channel) => refuseOwnListeners(address, listening(), channel),
    readFile: (path) => secrets.read(path),
  };
}

/**
 * The fault of an exchange. If an HTTP proxy is at the other end, the fault names it: the bytes came, or did not come,
 * from there.
 */
export function partyFault({ proxy, route }: TargetConnection, fault: Fault): Fault {
  if (!proxy || fault.blame !== "upstream" && fault.code !== "proxy_configuration_error") return fault;
  const plain = new UpstreamFault(fault.code);
  const words = fault.message === FAULTS[fault.code].happened ? plain.message : fault.message;
  const advice = fault instanceof UpstreamFault ? fault.advice : plain.advice;
  return new UpstreamFault(fault.code, `${route}: ${words}`, { advice, cause: fault });
}

/**
 * Called when a new connection to an HTTP proxy has brought a fault instead of an answer. The request is not repeated
 * through another upstream, because this one may have acted on it; but the next request may go another way. A TLS fault
 * is certainly the upstream's. A close and a 407 may come from the origin.
 */
export function suspectProxy(
  { client, services }: Caller,
  { chain, replaceable }: TargetConnection,
  { code }: Fault,
): void {
  if (!replaceable) return;
  const { failover } = services;
  if (FAULTS[code].tls) failover.failed(chain);
  else if (code === "connection_terminated" || code === "proxy_configuration_error") {
    failover.suspect(chain, { client }, chainOptions(services, new AbortController().signal, () => {}));
  }
}

/** Joins a channel to a function that acts as the target. */
function handled(
  handle: (stream: ByteStream) => void | Promise<void>,
  { log }: DialingServices,
  user: string | undefined,
): TargetConnection {
  const [near, far] = streamPair();
  Promise.resolve(far).then(handle).catch((error) => {
    log.error("The handler of a route failed", toFault(error));
    far.writable.abort(error).catch(() => {});
    far.readable.cancel(error).catch(() => {});
  });
  const channel = new Channel(near, "target");
  return {
    channel,
    chain: [],
    address: channel.remote,
    key: undefined,
    user,
    route: "handler",
    replaceable: false,
  };
}
