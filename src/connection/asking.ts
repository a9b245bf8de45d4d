/**
 * The steps by which a client asks: its request, its credentials, and whether it may.
 *
 * @module
 */

import { questionOf } from "../dialing/dialing.ts";
import { Fault, toFault } from "../faults.ts";
import { maySeePages } from "../admin/pages.ts";
import { PROTOCOLS, ruleWord } from "../protocols/client_protocols.ts";
import { refuseDenied } from "../policy/rules.ts";
import { noProxyRequest } from "../protocols/http1/request.ts";
import type { Session } from "./session.ts";
import type { Outcome } from "../states.ts";
import { GRACEFUL, type Payloads, type Steps } from "./step.ts";

/** From the protocol to a request that may be served. */
export const ASKING = {
  async handshaking(session, { handshake, user }) {
    const { client, services: { unfinishedHeads } } = session;
    const { buffer } = client.reader;
    let begun = user !== undefined || !PROTOCOLS[handshake.protocol].persistent;
    /** Whether the client owes nothing: it has not begun, and is waited for. */
    let idle = false;
    let waited = false;
    let held = false;
    try {
      while (true) {
        const event = handshake.read(buffer);
        // An empty line is some client's old bug, and the codec has taken it: it begins nothing.
        begun ||= event !== undefined || buffer.length > 0 || handshake.asked !== undefined;
        if (begun && waited) session.setDeadline("header");
        if (event?.type === "reply") await client.writer.write(event.bytes);
        else if (event?.type === "credentials") {
          return { event: "credentials", payload: { handshake, credentials: event.credentials } };
        } else if (event?.type === "request") {
          const { request } = event;
          const recording = session.record(handshake.protocol, { user, request });
          return { event: "request", payload: { handshake, recording, request } };
        } else {
          idle = !begun;
          if (idle && !waited) session.waitForRequest(session.known ? "idle" : undefined);
          waited = idle;
          if (buffer.length > 0) {
            held = true;
            unfinishedHeads.hold(session, buffer.capacity);
          }
          if (!await session.fill()) return { event: "ended", payload: GRACEFUL };
          idle = false;
        }
      }
    } catch (error) {
      const fault = toFault(error, "client");
      if (fault.code === "client_disconnected") throw fault;
      if (idle) return { event: "ended", payload: GRACEFUL };
      const recording = session.record(handshake.protocol, { user, asked: handshake.asked });
      const event = fault.code === "client_timeout" ? "timedOut" : "malformed";
      return { event, payload: { handshake, fault, recording } };
    } finally {
      if (held) unfinishedHeads.release(session);
    }
  },

  async authenticating(session, { handshake, credentials }) {
    const { services, client, clientName } = session;
    const { protocol } = handshake;
    let fault = new Fault(
      "proxy_authentication_required",
      credentials ? "Wrong credentials" : "No credentials",
    );
    const over = new AbortController();
    try {
      const asked = (async () =>
        await (credentials &&
          services.authenticate?.({ ...credentials, client: clientName, protocol }, over.signal)))();
      if (await session.interruptible(asked)) {
        // Before anything else is waited for: from now on a reload may withdraw what was right.
        session.user = credentials?.user || undefined;
        await client.writer.write(handshake.accepted());
        return { event: "accepted", payload: { handshake, user: session.user } };
      }
    } catch (error) {
      fault = refusalOf(toFault(error, "client"));
    } finally {
      over.abort();
    }
    return {
      event: "denied",
      payload: {
        handshake,
        fault,
        recording: session.record(protocol, { triedUser: credentials?.user, asked: handshake.asked }),
      },
    };
  },

  authorizing(session, here) {
    const { refusal } = session;
    if (!(refusal instanceof Promise)) return authorize(session, here);
    return session.interruptible(refusal).then(() => authorize(session, here));
  },
} satisfies Partial<Steps>;

/** What a client is told whose credentials were not judged. Throws the fault where there is nobody to tell. */
function refusalOf(fault: Fault): Fault {
  switch (fault.code) {
    // What the callback threw is a failure of the proxy, not wrong credentials.
    case "proxy_internal_error":
    case "proxy_authentication_required":
    case "authentication_unavailable":
      return fault;
    case "client_timeout":
      return new Fault("authentication_unavailable", "The credentials were not judged in time");
    default:
      throw fault;
  }
}

/** Judges a request when all is known of its client. */
function authorize(
  session: Session,
  { handshake, recording, request }: Payloads["authorizing"],
): Outcome<"authorizing", Payloads> {
  try {
    const { refusal } = session;
    if (refusal instanceof Fault) throw refusal;
    const { role } = session.entrance;
    const isAdmin = role === "admin";
    if (isAdmin && (request.kind !== "own" || request.page === undefined)) throw noProxyRequest();
    if (request.kind === "own") {
      const host = request.http.head.fields.get("host") ?? "";
      if (!isAdmin && session.services.disguised) {
        throw new Fault("proxy_authentication_required", "A stranger asked");
      }
      if (request.page !== undefined && !maySeePages(session.client, host, role)) throw noProxyRequest();
      session.known = true;
      recording.ownPage = request.page !== undefined;
      return { event: "answered", payload: { handshake, recording, origin: { kind: "self", request } } };
    }
    // A datagram says by itself where it goes.
    if (request.kind !== "association") {
      const protocol = ruleWord(request.kind, handshake.protocol);
      const question = questionOf(session, protocol, { user: recording.user, target: request.target });
      refuseDenied(session.services.rules().decide(question));
    }
    session.known = true;
    return { event: "allowed", payload: { handshake, recording, request, attempt: "first" } };
  } catch (error) {
    return { event: "forbidden", payload: { handshake, recording, fault: toFault(error) } };
  }
}
