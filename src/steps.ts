/**
 * What each state of a connection does: one step per state.
 *
 * A step does the work of its state and returns an event with the payload of the state that the event leads to;
 * everything a state needs travels that way, so nothing is half set. Steps end by themselves: whatever one
 * waits for can be cut from outside (a deadline, a shutdown) and then rejects with a `Fault`, so no
 * step is ever left running behind the next.
 *
 * @module
 */

import type { Channel } from "./channel.ts";
import { Exchange } from "./exchange.ts";
import { Fault, replyCode, toFault } from "./faults.ts";
import type { Recording } from "./observe/recording.ts";
import { detect, PROTOCOLS } from "./protocols/detection.ts";
import type {
  Credentials,
  ExchangeRequest,
  Handshake,
  Protocol,
  ProxyRequest,
  TunnelRequest,
} from "./protocols/handshake.ts";
import { formatAuthority } from "./protocols/host.ts";
import { ownAnswer } from "./protocols/http1_answer.ts";
import type { HttpRequest } from "./protocols/http1_request.ts";
import { relay } from "./relay.ts";
import type { Services } from "./services.ts";
import type { Session } from "./session.ts";
import type { Outcome, State } from "./states.ts";

/** What each state is entered with. */
export interface Payloads extends Record<State, unknown> {
  detecting: Record<never, never>;
  handshaking: { handshake: Handshake; user: string | undefined };
  authenticating: { handshake: Handshake; credentials: Credentials | undefined };
  authorizing: Task & { request: ProxyRequest };
  dialing: Task & { request: TunnelRequest | ExchangeRequest; attempt: "first" | "second" };
  exchanging: Task & { origin: Origin };
  relaying: { recording: Recording; target: Channel; reply: Uint8Array };
  refusing: Task & { fault: Fault };
  closing: { manner: "graceful" | "reset" };
  closed: Record<never, never>;
}

/** A request on its way, and what is recorded of it. */
interface Task {
  readonly handshake: Handshake;
  readonly recording: Recording;
}

/** Who answers an HTTP request: a server at the end of a channel, or the proxy itself. */
type Origin =
  | {
    readonly kind: "server";
    readonly channel: Channel;
    readonly kept: boolean;
    readonly request: ExchangeRequest;
  }
  | { readonly kind: "self"; readonly http: HttpRequest };

/** A step for every state; one that returns an illegal event does not compile. */
export type Steps = {
  readonly [S in State]: (session: Session, here: Payloads[S]) => Promise<Outcome<S, Payloads>>;
};

const GRACEFUL = { manner: "graceful" } as const;
/** The payload of a close that tells the peer that something broke. */
export const RESET = { manner: "reset" } as const;
const NOTHING = new Uint8Array(0);

/** The most that is read and thrown away while the client takes in the last answer (RFC 9112 section 9.6). */
const MAX_LINGER_BYTES = 1024 * 1024;

/** State → step. `connection.ts` looks them up. */
export const STEPS: Steps = {
  async detecting(session) {
    const { client, accepts, services, id } = session;
    session.waitForRequest("header");
    try {
      do {
        const detected = detect(client.reader.buffer, accepts);
        if (detected === "tls" || detected === "unknown") {
          const spoken = detected === "tls" ? "TLS" : "no protocol known here";
          services.log.debug(`${id}: Closed a client that speaks ${spoken}`);
          return { event: "unrecognized", payload: RESET };
        }
        if (detected) return { event: "recognized", payload: freshHandshake(services, detected) };
      } while (await session.interruptible(client.reader.fill()));
    } catch (error) {
      const fault = toFault(error, "client");
      if (fault.code === "client_disconnected") throw fault;
    }
    return { event: "ended", payload: GRACEFUL };
  },

  async handshaking(session, { handshake, user }) {
    const { client } = session;
    const { buffer } = client.reader;
    let begun = buffer.length > 0 || user !== undefined || handshake.protocol !== "http";
    if (!begun) session.waitForRequest("idle");
    try {
      while (true) {
        const event = handshake.read(buffer);
        if (event?.type === "reply") await client.writer.write(event.bytes);
        else if (event?.type === "credentials") {
          return { event: "credentials", payload: { handshake, credentials: event.credentials } };
        } else if (event?.type === "request") {
          const { request } = event;
          const recording = session.record(handshake.protocol, { user, request });
          return { event: "request", payload: { handshake, recording, request } };
        } else if (!await session.interruptible(client.reader.fill())) {
          return { event: "ended", payload: GRACEFUL };
        } else if (!begun) {
          begun = true;
          session.setDeadline("header");
        }
      }
    } catch (error) {
      const fault = toFault(error, "client");
      if (fault.code === "client_disconnected") throw fault;
      if (!begun) return { event: "ended", payload: GRACEFUL };
      const payload = { handshake, fault, recording: session.record(handshake.protocol, { user }) };
      return { event: fault.code === "client_timeout" ? "timedOut" : "malformed", payload };
    }
  },

  async authenticating(session, { handshake, credentials }) {
    const { services, client, clientName } = session;
    const { protocol } = handshake;
    let fault = new Fault(
      "proxy_authentication_required",
      credentials ? "Wrong credentials" : "No credentials",
    );
    try {
      const asked = (async () =>
        await (credentials && services.authenticate?.({ ...credentials, client: clientName, protocol })))();
      if (await session.interruptible(asked)) {
        await client.writer.write(handshake.accepted());
        return { event: "accepted", payload: { handshake, user: credentials?.user } };
      }
    } catch (error) {
      fault = toFault(error, "client");
      // What the callback threw is told to the client as a failure of the proxy, not as wrong credentials.
      if (fault.code !== "proxy_internal_error") throw fault;
    }
    return {
      event: "denied",
      payload: { handshake, fault, recording: session.record(handshake.protocol, {}) },
    };
  },

  // deno-lint-ignore require-await -- rules that need to look something up will
  async authorizing({ surplus }, { handshake, recording, request }) {
    if (surplus) return { event: "forbidden", payload: { handshake, recording, fault: surplus } };
    if (request.kind !== "own") {
      return { event: "allowed", payload: { handshake, recording, request, attempt: "first" } };
    }
    return {
      event: "answered",
      payload: { handshake, recording, origin: { kind: "self", http: request.http } },
    };
  },

  async dialing(session, { handshake, recording, request, attempt }) {
    const { services } = session;
    recording.route = "direct";
    try {
      if (request.kind === "tunnel") {
        const target = await session.dial(request.target, recording);
        const reply = handshake.established(target.local);
        recording.status = handshake.protocol === "http" ? 200 : handshake.protocol === "socks5" ? 0 : 0x5A;
        return { event: "tunnel", payload: { recording, target, reply } };
      }
      // A kept connection may have died unnoticed: only what can safely be sent again goes over one.
      const kept = attempt === "first" && isRepeatable(request.http)
        ? services.pool.take(formatAuthority(request.target))
        : undefined;
      const channel = kept ?? await session.dial(request.target, recording);
      const origin: Origin = { kind: "server", channel, kept: kept !== undefined, request };
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
      const persistent = origin.http.persistent && origin.http.framing.kind === "none" && session.keepAlive;
      recording.status = 200;
      await client.writer.write(ownAnswer({ date: services.clock.date(), persistent }));
      return persistent ? reusable(session) : { event: "finished", payload: GRACEFUL };
    }
    const { channel, kept, request } = origin;
    const exchange = new Exchange({
      request: request.http,
      client,
      origin: channel,
      name: services.name,
      maxHeaderSize: services.limits.headerSize,
      maxBodySize: services.limits.bodySize,
      forwarded: services.forwarded,
      date: () => services.clock.date(),
      keepAlive: () => session.keepAlive,
      observer: session.observe(recording),
    });
    session.onCut = (fault) => exchange.cut(fault);
    const end = await exchange.run();
    switch (end.how) {
      case "upgraded":
        return { event: "upgraded", payload: { recording, target: channel, reply: NOTHING } };
      case "reusable":
      case "finished":
        if (exchange.originReusable) services.pool.put(formatAuthority(request.target), channel);
        else channel.drop(new Fault("connection_terminated", "The exchange is over"));
        return end.how === "reusable" ? reusable(session) : { event: "finished", payload: GRACEFUL };
      case "unanswered":
        if (end.fault.code === "client_disconnected" || end.fault.code === "proxy_shutdown") throw end.fault;
        // RFC 9110 section 9.2.2: once more, where the method allows it and the origin had closed before it answered.
        if (kept && end.fault.code === "connection_terminated") {
          return { event: "stale", payload: { handshake, recording, request, attempt: "second" } };
        }
        return { event: "unanswered", payload: { handshake, recording, fault: end.fault } };
      case "cut":
        throw end.fault;
    }
  },

  async relaying(session, { recording, target, reply }) {
    const { client } = session;
    session.onCut = (fault) => {
      client.cut(fault);
      target.cut(fault);
    };
    try {
      if (reply.length > 0) await client.writer.write(reply);
      await relay(client, target, {
        ...session.observe(recording),
        halfClosed: () => session.setDeadline("halfClosed"),
      });
    } finally {
      target.drop(new Fault("connection_terminated", "The tunnel is over"));
    }
    return { event: "drained", payload: GRACEFUL };
  },

  async refusing({ client, services }, { handshake, recording, fault }) {
    const { bytes, retryable } = handshake.refused(fault);
    recording.fault = fault;
    if (bytes.length > 0) recording.status = replyCode(fault, handshake.protocol);
    if (fault.code === "proxy_internal_error") services.log.error(fault.message, fault.cause);
    await client.writer.write(bytes);
    return retryable
      ? { event: "retryable", payload: freshHandshake(services, handshake.protocol) }
      : { event: "replied", payload: GRACEFUL };
  },

  async closing({ client, id, services }, { manner }) {
    const done = new Fault("client_disconnected", "The connection is over");
    try {
      if (manner === "reset") client.cut(done);
      else {
        await client.writer.close();
        // A close with bytes unread would reset the connection, and the client might lose the last answer.
        for (let left = MAX_LINGER_BYTES; left > 0;) {
          const bytes = await client.reader.read();
          if (!bytes) break;
          left -= bytes.length;
        }
        client.drop(done);
      }
    } catch (error) {
      services.log.debug(`${id}: ${toFault(error, "client").message}`);
      client.cut(done);
    }
    return { event: "closed", payload: {} };
  },

  closed() {
    return Promise.reject(new TypeError("Cannot take a step in the state closed"));
  },
};

/** RFC 9110 section 9.2.2: idempotent, and with no body that would be gone. */
function isRepeatable({ head, framing }: HttpRequest): boolean {
  return framing.kind === "none" && ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(head.method);
}

function freshHandshake(services: Services, protocol: Protocol): Payloads["handshaking"] {
  const { name, limits, clock, authenticate } = services;
  const { Handshake } = PROTOCOLS[protocol];
  const handshake = new Handshake({
    name,
    maxHeaderSize: limits.headerSize,
    credentialsRequired: authenticate !== undefined,
    date: () => clock.date(),
  });
  return { handshake, user: undefined };
}

function reusable({ services }: Session): { event: "reusable"; payload: Payloads["handshaking"] } {
  return { event: "reusable", payload: freshHandshake(services, "http") };
}
