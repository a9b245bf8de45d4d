/**
 * How a session gets to its target: what has to be asked on the way, and who connects.
 *
 * @module
 */

import { Channel } from "../streams/channel.ts";
import { formatAddress } from "../addresses/host.ts";
import { Fault, toFault } from "../faults.ts";
import { FAULTS } from "../fault_table.ts";
import type { Recording } from "../observe/recording.ts";
import { refuseSpecialPurpose } from "../policy/destination_guard.ts";
import { refuseOwnListeners } from "../policy/own_listeners.ts";
import type { RuleProtocol, RuleRequest } from "../policy/rule_request.ts";
import { refuseDenied } from "../policy/rules.ts";
import { reachedAt, spelledAddresses } from "../addresses/spelled_addresses.ts";
import { UpstreamFault } from "../protocols/common/connector.ts";
import type { ExchangeRequest, TunnelRequest } from "../protocols/common/handshake.ts";
import { viaOf } from "../protocols/http1/forwarding.ts";
import type { ByteStream, TcpAddress } from "../runtime/contract.ts";
import type { Services } from "../connection/services.ts";
import type { Session } from "../connection/session.ts";
import { streamPair } from "../streams/stream_pair.ts";
import { type ChainOptions, judgeNamed, type Routed } from "./chain.ts";
import type { Road } from "./lifeline.ts";
import { resolvesRemotely, routeKey } from "./route_key.ts";
import type { Way } from "./router.ts";
import type { Chain } from "./upstream.ts";
import { isTarget } from "./upstream_schemes.ts";

/** A connection that leads to the target, and how. */
export interface Reached extends Pick<Routed, "proxy" | "resolved">, Road {
  readonly channel: Channel;
  /** What is behind the connection: the client's requests with the same one may share it. Undefined where none may. */
  readonly key: string | undefined;
  /** Whose requests it is for: a client may change its user from one to the next. */
  readonly user: string | undefined;
  /** Ends the client's connection with this one, which the origin has let in for that client. Undefined on others. */
  readonly lost?: () => void;
  /** What the record says of the way. */
  readonly route: string;
  /** Whether requests have another way where this one fails. */
  readonly replaceable: boolean;
}

/** What the rules are asked about a request. */
export function questionOf(
  session: Session,
  protocol: RuleProtocol,
  { user, target }: { user?: string; target: TcpAddress },
): RuleRequest {
  const { remote } = session.client;
  return { ...target, protocol, user, client: "host" in remote ? remote.host : undefined };
}

/** Throws a `Fault` for an address that this request must not reach, or a connection that must not be used. */
export function judge(
  { listening, privateDestinations, ownAddresses, rules }: Services,
  question: RuleRequest,
  address: TcpAddress,
  channel?: Pick<Channel, "local" | "remote">,
): void {
  refuseOwnListeners(address, listening(), channel?.local);
  if (privateDestinations === "deny") {
    refuseSpecialPurpose(address, channel);
    ownAddresses.refuse(address);
  }
  const current = rules();
  if (!current.judges) return;
  for (const host of reachedAt(address.host)) refuseDenied(current.decide({ ...question, address: host }));
}

/**
 * Throws a `Fault` for a host that an upstream will resolve, where the client must not reach it: each address that some
 * resolver reads in it is judged. What any other name leads to is never known here, so no rule about addresses holds.
 * At the end of a Unix socket is what the operator chose, whatever host the client names: rules alone judge that.
 */
function judgeUnresolved(services: Services, question: RuleRequest, chains: readonly Chain[]): void {
  const hosts = spelledAddresses(question.host);
  const guarded = chains.some((chain) => !chain[0] || !isTarget(chain[0]));
  if (hosts.length === 0) refuseDenied(services.rules().decide(question, false));
  for (const host of hosts) {
    if (guarded) judge(services, question, { host, port: question.port });
    else refuseDenied(services.rules().decide({ ...question, address: host }));
  }
}

/** What a dial is for. */
export interface Errand {
  readonly request: TunnelRequest | ExchangeRequest;
  readonly question: RuleRequest;
  readonly recording: Recording;
}

/**
 * The way that a request takes. Throws a `Fault` where the route refuses it, or where an upstream will resolve the host
 * and the client must not reach what the host spells. Told at once where no function has to be asked.
 */
export function chooseWay(session: Session, errand: Errand): Way | Promise<Way> {
  const { request, question } = errand;
  const way = session.services.router.choose(
    question,
    request.kind === "exchange" ? request.http.head : undefined,
  );
  return way instanceof Promise
    ? way.then((way) => allowed(session, question, way))
    : allowed(session, question, way);
}

function allowed({ services }: Session, question: RuleRequest, way: Way): Way {
  if ("alternatives" in way && way.alternatives.some(resolvesRemotely)) {
    judgeUnresolved(services, question, way.alternatives);
  }
  return way;
}

/** Datagrams go directly or not at all: throws a `Fault` where a route would have them go through an upstream. */
export async function refuseDetour({ services }: Session, question: RuleRequest): Promise<void> {
  const way = await services.router.choose(question);
  if ("alternatives" in way && way.alternatives.some((chain) => chain.length === 0)) return;
  throw new Fault("http_request_denied", "Datagrams do not go through an upstream", { socks5: 7 });
}

/** A connection that waits for another request on one of these ways. */
export function takeKept(
  session: Session,
  way: Way,
  { request, question }: Errand,
): Reached | undefined {
  const { services } = session;
  const { pool, failover } = services;
  if (!("alternatives" in way)) return undefined;
  for (const chain of way.alternatives) {
    const key = routeKey(chain, request.target);
    const kept = key === undefined ? undefined : pool.take(session, key);
    if (key === undefined || !kept) {
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
      pool.put(session, kept);
    }
  }
  return undefined;
}

// One for all, as a stack trace for each would cost more than the close.
const OTHER_USER = new Fault("connection_terminated", "The connection was opened for another user");

/** What is judged at dialing is judged again for each request that takes the connection: rules differ by user. */
function judgeKept(services: Services, question: RuleRequest, { chain, channel, resolved }: Reached): void {
  if (chain.length === 0) return judge(services, question, channel.remote as TcpAddress, channel);
  judgeNamed(chain, question, (address) => judge(services, question, address));
  if (resolved) judge(services, question, resolved);
}

/** Connects to the target of a request. */
export async function dial(
  session: Session,
  way: Way,
  { request, question, recording }: Errand,
): Promise<Reached> {
  const { services } = session;
  const { failover } = services;
  if ("handle" in way) {
    const channel = handled(way.handle, services);
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
  session.cuttable = { cut: (fault) => controller.abort(fault) };
  const routed = await failover.dial(way.alternatives, {
    kind: request.kind,
    target: request.target,
    client: session.client,
    via: request.kind === "exchange"
      ? viaOf(request.http, services.name)
      : request.via ?? `1.1 ${services.name}`,
  }, {
    ...chainOptions(
      services,
      controller.signal,
      (address, channel) => judge(services, question, address, channel),
    ),
    timeout: services.timeouts.connect,
    caller: session,
    reserve: services.reserve,
  });
  const { channel, address, dnsTime, dialTime, proxy, resolved, route, chain } = routed;
  recording.dialed = formatAddress(address);
  recording.dnsTime = dnsTime;
  recording.dialTime = dialTime;
  const replaceable = way.alternatives.length > 1;
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
  { runtime, resolver, clock, limits, secrets, listening }: Services,
  signal: AbortSignal,
  judgeTarget: ChainOptions["judge"],
): ChainOptions {
  return {
    runtime,
    resolver,
    clock,
    signal,
    maxHeaderSize: limits.headerSize,
    judge: judgeTarget,
    judgeUpstream: (address, channel) => refuseOwnListeners(address, listening(), channel?.local),
    readFile: (path) => secrets.read(path),
  };
}

/**
 * The fault in place of an answer, said of the next proxy where that is the other end of the connection: what came, or did
 * not come, came from there.
 */
export function partyFault({ proxy, route }: Reached, fault: Fault): Fault {
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
  { client, services }: Session,
  { chain, replaceable }: Reached,
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
function handled(handle: (stream: ByteStream) => void | Promise<void>, { log }: Services): Channel {
  const [near, far] = streamPair();
  Promise.resolve(far).then(handle).catch((error) => {
    log.error("The handler of a route failed", toFault(error));
    far.writable.abort(error).catch(() => {});
    far.readable.cancel(error).catch(() => {});
  });
  return new Channel(near, "target");
}
