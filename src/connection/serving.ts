/**
 * The steps by which a request is served: the way to its target, and what goes over it.
 *
 * @module
 */

import {
  chooseWay,
  dial,
  type Errand,
  partyFault,
  questionOf,
  type Reached,
  refuseDetour,
  suspectProxy,
  takeKept,
} from "../dialing/dialing.ts";
import { Exchange, type ExchangeEnd } from "../traffic/exchange.ts";
import { Fault, malformed, type Party, toFault } from "../faults.ts";
import type { Recording } from "../observe/recording.ts";
import { pageAt } from "../admin/pages.ts";
import { PROTOCOLS, ruleWord } from "../protocols/client_protocols.ts";
import type {
  AssociationRequest,
  ExchangeRequest,
  OwnRequest,
  TunnelRequest,
} from "../protocols/common/handshake.ts";
import { ownAnswer, pageAnswer } from "../protocols/http1/answer.ts";
import type { HttpRequest } from "../protocols/http/message.ts";
import { relay } from "../traffic/relay.ts";
import { type Session, Traffic } from "./session.ts";
import type { Outcome } from "../states.ts";
import type { Way } from "../dialing/router.ts";
import { brokenOff, GRACEFUL, type Origin, type Payloads, reusable, type Steps } from "./step.ts";

const NOTHING = new Uint8Array(0);

// One for all, as a stack trace for each would cost more than the close.
const EXCHANGE_OVER = new Fault("connection_terminated", "The exchange is over");
const TUNNEL_OVER = new Fault("connection_terminated", "The tunnel is over");

/** The most that is read and thrown away of a connection whose only use is its end (RFC 1928 section 7). */
const MAX_IDLE_BYTES = 64 * 1024;

/** From a request that may be served to its end. */
export const SERVING = {
  dialing(session, here) {
    const { request } = here;
    if (request.kind === "association") return associate(session, here, request);
    try {
      const errand = errandOf(session, here, request);
      const way = chooseWay(session, errand);
      const kept = way instanceof Promise ? undefined : keptFor(session, here, errand, way);
      return kept ? served(here, request, kept, true) : connect(session, here, errand, way);
    } catch (error) {
      return unreachable(here, error);
    }
  },

  exchanging(session, here) {
    const { recording, origin } = here;
    if (origin.kind === "self") return answer(session, recording, origin.request);
    const { client, services } = session;
    const { reached, request } = origin;
    const exchange = new Exchange({
      request: request.http,
      client,
      origin: reached.channel,
      bound: reached.lost !== undefined,
      party: partyOf(reached),
      proxy: reached.proxy,
      name: services.name,
      maxHeaderSize: services.limits.headerSize,
      maxBodySize: services.limits.bodySize,
      forwarded: services.forwarded,
      date: () => services.clock.date(),
      keepAlive: () => session.keepAlive,
      observer: new Traffic(session, recording),
    });
    session.cuttable = exchange;
    return exchange.run().then((end) => concluded(session, here, origin, { exchange, end }));
  },

  async relaying(session, { recording, reached, reply }) {
    const { client, services } = session;
    const { channel: target } = reached;
    session.cuttable = {
      far: target,
      party: partyOf(reached),
      cut(fault) {
        client.cut(fault);
        target.cut(fault);
      },
    };
    const held = services.lifelines.hold(reached, session, recording);
    try {
      if (reply.length > 0) await client.writer.write(reply);
      const fault = await relay(client, target, new Traffic(session, recording));
      if (fault) return brokenOff(recording, fault);
    } finally {
      held?.release();
      target.drop(TUNNEL_OVER);
    }
    return { event: "drained", payload: GRACEFUL };
  },

  async associating({ client, services, id }, { association, reply }) {
    try {
      await client.writer.write(reply);
      let ignored = 0;
      for (let bytes = await client.reader.read(); bytes; bytes = await client.reader.read()) {
        ignored += bytes.length;
        if (ignored > MAX_IDLE_BYTES) throw malformed("Bytes came where an association needs none");
      }
    } finally {
      association.close();
      if (association.dropped > 0) services.log.debug(`${id}: Dropped ${association.dropped} datagrams`);
    }
    return { event: "dissociated", payload: GRACEFUL };
  },
} satisfies Partial<Steps>;

type Dialing = Payloads["dialing"];

function errandOf(
  session: Session,
  { handshake, recording }: Dialing,
  request: TunnelRequest | ExchangeRequest,
): Errand {
  const protocol = ruleWord(request.kind, handshake.protocol);
  const question = questionOf(session, protocol, { user: recording.user, target: request.target });
  return { request, question, recording };
}

async function associate(
  session: Session,
  here: Dialing,
  request: AssociationRequest,
): Promise<Outcome<"dialing", Payloads>> {
  const { handshake, recording } = here;
  try {
    await refuseDetour(
      session,
      questionOf(session, "udp", { user: recording.user, target: request.target }),
    );
    recording.route = "direct";
    const { association, bound } = await session.associate(request, recording);
    recording.status = PROTOCOLS[handshake.protocol].established;
    const reply = handshake.established(bound);
    return { event: "association", payload: { recording, association, reply } };
  } catch (error) {
    return unreachable(here, error);
  }
}

/**
 * A kept connection may have died unnoticed: only what can safely be sent again goes over one. A connection that the
 * origin has let in for this client takes everything, as no other is let in.
 */
function keptFor(session: Session, { attempt }: Dialing, errand: Errand, way: Way): Reached | undefined {
  const { request } = errand;
  if (request.kind !== "exchange" || attempt !== "first") return undefined;
  const repeatable = isRepeatable(request.http);
  const kept = repeatable || session.bound ? takeKept(session, way, errand) : undefined;
  if (!kept || repeatable || kept.lost) return kept;
  session.services.pool.put(session, kept);
  return undefined;
}

async function connect(
  session: Session,
  here: Dialing,
  errand: Errand,
  choosing: Way | Promise<Way>,
): Promise<Outcome<"dialing", Payloads>> {
  try {
    const way = await choosing;
    const kept = choosing instanceof Promise ? keptFor(session, here, errand, way) : undefined;
    return served(here, errand.request, kept ?? await dial(session, way, errand), kept !== undefined);
  } catch (error) {
    return unreachable(here, error);
  }
}

/** The target is reached, by a connection that was kept or a new one. */
function served(
  { handshake, recording }: Dialing,
  request: TunnelRequest | ExchangeRequest,
  reached: Reached,
  kept: boolean,
): Outcome<"dialing", Payloads> {
  recording.route = reached.route;
  if (request.kind === "tunnel") {
    recording.status = PROTOCOLS[handshake.protocol].established;
    const reply = handshake.established(reached.channel.local);
    return { event: "tunnel", payload: { recording, reached, reply } };
  }
  const origin: Origin = { kind: "server", reached, kept, request };
  return { event: "exchange", payload: { handshake, recording, origin } };
}

function unreachable(
  { handshake, recording }: Dialing,
  error: unknown,
): Outcome<"dialing", Payloads> {
  const fault = toFault(error);
  if (fault.code === "client_disconnected" || fault.code === "proxy_shutdown") throw fault;
  return { event: "unreachable", payload: { handshake, recording, fault } };
}

/** What the proxy says for itself. */
async function answer(
  session: Session,
  recording: Recording,
  { http, page }: OwnRequest,
): Promise<Outcome<"exchanging", Payloads>> {
  const { client, services } = session;
  const persistent = http.persistent && http.framing.kind === "none" && session.keepAlive;
  const dress = { date: services.clock.date(), persistent, bodyless: http.head.method === "HEAD" };
  const shown = page === undefined
    ? undefined
    : pageAt(page, http.head.fields.get("host") ?? "", services.facts());
  recording.status = shown?.status ?? 200;
  await client.writer.write(shown ? pageAnswer(shown, dress) : ownAnswer(dress));
  return persistent ? reusable(session) : { event: "finished", payload: GRACEFUL };
}

/** What comes of an exchange with a server. */
function concluded(
  session: Session,
  { handshake, recording }: Payloads["exchanging"],
  { reached, kept, request }: Origin & { readonly kind: "server" },
  { exchange, end }: { readonly exchange: Exchange; readonly end: ExchangeEnd },
): Outcome<"exchanging", Payloads> {
  const { services } = session;
  switch (end.how) {
    case "upgraded":
      return { event: "upgraded", payload: { recording, reached, reply: NOTHING } };
    case "reusable":
    case "finished":
      if (end.how === "reusable" && exchange.originReusable && reached.key !== undefined) {
        services.pool.put(session, exchange.binds ? boundTo(session, reached) : reached);
        return reusable(session);
      }
      reached.channel.drop(EXCHANGE_OVER);
      if (end.how === "finished" && end.fault && !isDeclined(request.http, recording)) {
        return brokenOff(recording, end.fault);
      }
      return end.how === "reusable" && !exchange.binds
        ? reusable(session)
        : { event: "finished", payload: GRACEFUL };
    case "unanswered":
      if (end.fault.code === "client_disconnected" || end.fault.code === "proxy_shutdown") throw end.fault;
      // RFC 9110 section 9.2.2: once more, where the method allows it and the origin had closed before it answered.
      if (kept && end.fault.code === "connection_terminated") {
        // The client's next connection has to be let in anew, so this one ends as the origin's has.
        if (reached.lost) throw end.fault;
        return { event: "stale", payload: { handshake, recording, request, attempt: "second" } };
      }
      reached.lost?.();
      if (reached.proxy && !kept) suspectProxy(session, reached, end.fault);
      return {
        event: "unanswered",
        payload: { handshake, recording, fault: partyFault(reached, end.fault) },
      };
    case "cut":
      throw end.fault;
  }
}

/** The same connection, which ends with the client's and the client's with it. */
function boundTo(session: Session, reached: Reached): Reached {
  session.bound = true;
  return reached.lost ? reached : { ...reached, lost: () => session.drain() };
}

/** RFC 9110 section 10.1.1: a client that waits to be asked for its body, and is answered instead, keeps it. */
function isDeclined({ head }: HttpRequest, { sent }: Recording): boolean {
  return sent === 0 && head.fields.has("expect");
}

/** Who is at the other end of the connection itself. */
function partyOf({ chain }: Reached): Party {
  return chain.length > 0 ? "next proxy" : "target";
}

/** RFC 9110 section 9.2.2: idempotent, and with no body that would be gone. */
function isRepeatable({ head, framing }: HttpRequest): boolean {
  return framing.kind === "none" && ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(head.method);
}
