/**
 * How a request gets to its target: which route it takes, whether a kept connection will do, and who connects.
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

/** What dialing works with. */
export interface DialingServices extends JudgementServices {
  readonly runtime: Pick<Runtime, "connectTls" | "dial">;
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

/** Who wants to get somewhere: a client's connection. What it has opened is kept for itself alone. */
export interface Caller {
  readonly services: DialingServices;
  readonly client: Channel;
  /** What breaks the dial off while it lasts. */
  cuttable: Cuttable | undefined;
  /** Starts the time for a dial anew, where another upstream is tried. */
  setDeadline(deadline: "connect"): void;
}

/** A connection that leads to the target, and how. */
export interface TargetConnection extends Pick<ChainConnection, "proxy" | "resolved">, TakenRoute {
  readonly channel: Channel;
  /** What is behind the connection: the client's requests with the same one may share it. Undefined where none may. */
  readonly key: string | undefined;
  /** Whose requests it is for: a client may change its user from one to the next. */
  readonly user: string | undefined;
  /** Ends the client's connection with this one, which the origin has let in for that client. Undefined on others. */
  readonly lost?: () => void;
  /** What the record says of the route. */
  readonly route: string;
  /** Whether requests have another chain where this one fails. */
  readonly replaceable: boolean;
}

/** What is dialed for. */
export interface DialRequest {
  readonly request: TunnelRequest | ExchangeRequest;
  readonly question: RuleRequest;
  readonly recording: Recording;
}

/**
 * The route that a request takes. Throws a `Fault` where the route refuses it, or where an upstream will resolve the host
 * and the client must not reach what the host spells. Told at once where no function has to be asked.
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

/** Datagrams go directly or not at all: throws a `Fault` where a route would have them go through an upstream. */
export async function requireDirectRoute({ services }: Caller, question: RuleRequest): Promise<void> {
  const chosen = await services.router.choose(question);
  if ("alternatives" in chosen && chosen.alternatives.some((chain) => chain.length === 0)) return;
  throw new Fault("http_request_denied", "Datagrams do not go through an upstream", { socks5: 7 });
}

/** A connection that waits for another request by one of these chains. */
export function takeKept(
  caller: Caller,
  chosen: ChosenRoute,
  { request, question }: DialRequest,
): TargetConnection | undefined {
  const { services } = caller;
  const { pool, failover } = services;
  if (!("alternatives" in chosen)) return undefined;
  for (const chain of chosen.alternatives) {
    const kept = pool.take(caller, routeKey(chain, request.target));
    if (!kept) {
      // One that may be dialed goes before those that are connected: by these alone it would never be tried again.
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
      // Good for other requests, and perhaps another address of the target is good for this one: dialing will tell.
      pool.put(caller, kept);
    }
  }
  return undefined;
}

// One for all, as a stack trace for each would cost more than the close.
const OTHER_USER = new Fault("connection_terminated", "The connection was opened for another user");

/** What is judged at dialing is judged again for each request that takes the connection: rules differ by user. */
function judgeKept(
  services: DialingServices,
  question: RuleRequest,
  { chain, channel, resolved }: TargetConnection,
): void {
  if (chain.length === 0) {
    return judge(services, question, { address: channel.remote as TcpAddress, ends: channel });
  }
  judgeNamed(chain, question, (address) => judge(services, question, { address }));
  if (resolved) judge(services, question, { address: resolved });
}

/** Connects to the target of a request. */
export async function dial(
  caller: Caller,
  chosen: ChosenRoute,
  { request, question, recording }: DialRequest,
): Promise<TargetConnection> {
  const { services } = caller;
  const { failover } = services;
  if ("handle" in chosen) {
    const channel = handled(chosen.handle, services);
    return {
      channel,
      chain: [],
      address: channel.remote,
      key: undefined,
      user: question.user,
      route: "handler",
      replaceable: false,
    };
  }
  const controller = new AbortController();
  caller.cuttable = { cut: (fault) => controller.abort(fault) };
  const routed = await failover.dial(chosen.alternatives, {
    kind: request.kind,
    target: request.target,
    client: caller.client,
    via: request.kind === "exchange"
      ? viaOf(request.http, services.settings.name)
      : request.via ?? `1.1 ${services.settings.name}`,
  }, {
    ...chainOptions(
      services,
      controller.signal,
      (address, channel) => judge(services, question, { address, ends: channel }),
    ),
    timeout: services.settings.timeouts.connect,
    caller,
    reserve: services.reserve,
  });
  const { channel, address, dnsTime, dialTime, proxy, resolved, route, chain } = routed;
  recording.dialed = formatAddress(address);
  recording.dnsTime = dnsTime;
  recording.dialTime = dialTime;
  const replaceable = chosen.alternatives.length > 1;
  return {
    channel,
    proxy,
    resolved,
    route,
    chain,
    address,
    replaceable,
    user: question.user,
    key: routeKey(chain, request.target),
  };
}

/** What goes through upstreams is given; `judgeTarget` is as in `ChainOptions`. */
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
    judgeUpstream: (address, channel) => refuseOwnListeners(address, listening(), channel?.local),
    readFile: (path) => secrets.read(path),
  };
}

/**
 * The fault in place of an answer, said of the next proxy where that is the other end of the connection: what came, or did
 * not come, came from there.
 */
export function partyFault({ proxy, route }: TargetConnection, fault: Fault): Fault {
  if (!proxy || fault.blame !== "upstream" && fault.code !== "proxy_configuration_error") return fault;
  const plain = new UpstreamFault(fault.code);
  const words = fault.message === FAULTS[fault.code].happened ? plain.message : fault.message;
  const advice = fault instanceof UpstreamFault ? fault.advice : plain.advice;
  return new UpstreamFault(fault.code, `${route}: ${words}`, { advice, cause: fault });
}

/**
 * A new connection to an HTTP proxy has brought a fault in place of an answer. Another upstream may not be asked what
 * this one may have done, but the next request may go by it. TLS is between the upstream and us; a close and a 407 may
 * come from the origin.
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

/** Lets a function take the place of the target. */
function handled(handle: (stream: ByteStream) => void | Promise<void>, { log }: DialingServices): Channel {
  const [near, far] = streamPair();
  Promise.resolve(far).then(handle).catch((error) => {
    log.error("The handler of a route failed", toFault(error));
    far.writable.abort(error).catch(() => {});
    far.readable.cancel(error).catch(() => {});
  });
  return new Channel(near, "target");
}
