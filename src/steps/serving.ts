/**
 * The steps by which a request is served: the way to its target, and what goes over it.
 *
 * @module
 */

import { chooseWay, dial, questionOf, refuseDetour, ruleProtocol, takeKept } from "../dialing.ts";
import { Exchange } from "../exchange.ts";
import { Fault, malformed, toFault } from "../faults.ts";
import { pageAt } from "../pages.ts";
import type { Protocol } from "../protocols/handshake.ts";
import { ownAnswer, pageAnswer } from "../protocols/http1_answer.ts";
import type { HttpRequest } from "../protocols/http1_request.ts";
import { relay } from "../relay.ts";
import { Traffic } from "../session.ts";
import { GRACEFUL, type Origin, reusable, type Steps } from "./step.ts";

const NOTHING = new Uint8Array(0);

// One for all, as a stack trace for each would cost more than the close.
const EXCHANGE_OVER = new Fault("connection_terminated", "The exchange is over");
const TUNNEL_OVER = new Fault("connection_terminated", "The tunnel is over");

/** The most that is read and thrown away of a connection whose only use is its end (RFC 1928 section 7). */
const MAX_IDLE_BYTES = 64 * 1024;

/** What the record says of a tunnel that stands: the status or reply that the client got. A line gets none. */
const ESTABLISHED: Readonly<Record<Protocol, number | undefined>> = {
  http: 200,
  socks4: 0x5A,
  socks5: 0,
  line: undefined,
};

/** From a request that may be served to its end. */
export const SERVING = {
  async dialing(session, { handshake, recording, request, attempt }) {
    try {
      if (request.kind === "association") {
        await refuseDetour(
          session,
          questionOf(session, "udp", { user: recording.user, target: request.target }),
        );
        recording.route = "direct";
        const { association, bound } = await session.associate(request, recording);
        recording.status = 0;
        return {
          event: "association",
          payload: { recording, association, reply: handshake.established(bound) },
        };
      }
      const protocol = ruleProtocol(request.kind, handshake.protocol);
      const question = questionOf(session, protocol, { user: recording.user, target: request.target });
      const errand = { request, question, recording };
      const way = await chooseWay(session, errand);
      // A kept connection may have died unnoticed: only what can safely be sent again goes over one.
      const kept = request.kind === "exchange" && attempt === "first" && isRepeatable(request.http)
        ? takeKept(session, way, errand)
        : undefined;
      const reached = kept ?? await dial(session, way, errand);
      recording.route = reached.route;
      if (request.kind === "tunnel") {
        recording.status = ESTABLISHED[handshake.protocol];
        const reply = handshake.established(reached.channel.local);
        return { event: "tunnel", payload: { recording, reached, reply } };
      }
      const origin: Origin = { kind: "server", reached, kept: kept !== undefined, request };
      return { event: "exchange", payload: { handshake, recording, origin } };
    } catch (error) {
      const fault = toFault(error);
      if (fault.code === "client_disconnected" || fault.code === "proxy_shutdown") throw fault;
      return { event: "unreachable", payload: { handshake, recording, fault } };
    }
  },

  async exchanging(session, { handshake, recording, origin }) {
    const { client, services } = session;
    if (origin.kind === "self") {
      const { http, page } = origin.request;
      const persistent = http.persistent && http.framing.kind === "none" && session.keepAlive;
      const dress = { date: services.clock.date(), persistent, bodyless: http.head.method === "HEAD" };
      const shown = page === undefined
        ? undefined
        : pageAt(page, http.head.fields.get("host") ?? "", services.facts());
      recording.status = shown?.status ?? 200;
      await client.writer.write(shown ? pageAnswer(shown, dress) : ownAnswer(dress));
      return persistent ? reusable(session) : { event: "finished", payload: GRACEFUL };
    }
    const { reached, kept, request } = origin;
    const { channel } = reached;
    const exchange = new Exchange({
      request: request.http,
      client,
      origin: channel,
      proxy: reached.proxy,
      name: services.name,
      maxHeaderSize: services.limits.headerSize,
      maxBodySize: services.limits.bodySize,
      forwarded: services.forwarded,
      date: () => services.clock.date(),
      keepAlive: () => session.keepAlive,
      observer: new Traffic(session, recording),
    });
    session.onCut = (fault) => exchange.cut(fault);
    const end = await exchange.run();
    switch (end.how) {
      case "upgraded":
        return { event: "upgraded", payload: { recording, reached, reply: NOTHING } };
      case "reusable":
      case "finished":
        if (exchange.originReusable && reached.key !== undefined) services.pool.put(reached.key, reached);
        else channel.drop(EXCHANGE_OVER);
        return end.how === "reusable" ? reusable(session) : { event: "finished", payload: GRACEFUL };
      case "unanswered":
        if (end.fault.code === "client_disconnected" || end.fault.code === "proxy_shutdown") throw end.fault;
        // RFC 9110 section 9.2.2: once more, where the method allows it and the origin had closed before it answered.
        if (kept && end.fault.code === "connection_terminated") {
          return { event: "stale", payload: { handshake, recording, request, attempt: "second" } };
        }
        // Another upstream may not be asked what this one may have done, but the next request may go by it.
        if (reached.proxy && !kept && isProxyFailure(end.fault)) services.failover.failed(reached.chain);
        return { event: "unanswered", payload: { handshake, recording, fault: end.fault } };
      case "cut":
        throw end.fault;
    }
  },

  async relaying(session, { recording, reached, reply }) {
    const { client, services } = session;
    const { channel: target } = reached;
    session.onCut = (fault) => {
      client.cut(fault);
      target.cut(fault);
    };
    const held = services.lifelines.hold(reached, session, recording);
    try {
      if (reply.length > 0) await client.writer.write(reply);
      await relay(client, target, new Traffic(session, recording));
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

/** Whether a proxy in good order would have answered for its target in place of a fault. */
function isProxyFailure({ code }: Fault): boolean {
  return code === "connection_terminated" || code.startsWith("tls_");
}

/** RFC 9110 section 9.2.2: idempotent, and with no body that would be gone. */
function isRepeatable({ head, framing }: HttpRequest): boolean {
  return framing.kind === "none" && ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(head.method);
}
