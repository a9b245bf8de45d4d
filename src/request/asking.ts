/**
 * The steps by which a client asks: its request, its credentials, and whether it may.
 *
 * @module
 */

import { maySeePages } from "../admin/pages.ts";
import { Fault, toFault } from "../faults.ts";
import { questionOf } from "../policy/judgement.ts";
import { refuseDenied } from "../policy/rules.ts";
import { PROTOCOLS, ruleWord } from "../protocols/client_protocols.ts";
import type { HandshakeEvent } from "../protocols/common/handshake.ts";
import { noProxyRequest } from "../protocols/http1/request.ts";
import { beginRecord } from "./records.ts";
import type { Requester } from "./requester.ts";
import { GRACEFUL, type Outcome, type RequestPayloads, type RequestSteps } from "./step.ts";

/** From the protocol to a request that may be served. */
export const ASKING = {
  reading(requester, here) {
    return read(requester, here);
  },

  async authenticating(requester, { handshake, credentials }) {
    const { services, clientName } = requester;
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
      if (await requester.interruptible(asked)) {
        // Before anything else is waited for: from now on a reload may withdraw what was right.
        requester.user = credentials?.user || undefined;
        await requester.reply(handshake.accepted());
        return { event: "accepted", payload: { handshake, user: requester.user } };
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
        recording: beginRecord(requester, protocol, { triedUser: credentials?.user, asked: handshake.asked }),
      },
    };
  },

  authorizing(requester, here) {
    const { refusal } = requester;
    if (!(refusal instanceof Promise)) return authorize(requester, here);
    return requester.interruptible(refusal).then(() => authorize(requester, here));
  },
} satisfies Partial<RequestSteps>;

type Reading = RequestPayloads["reading"];

const ENDED: Outcome<"reading"> = { event: "ended", payload: GRACEFUL };

/** Reads what is there. A client that has not begun is waited for, and the wait is all that an idle connection costs. */
function read(requester: Requester, here: Reading): Outcome<"reading"> | Promise<Outcome<"reading">> {
  try {
    const event = here.handshake.read(requester.client.reader.buffer);
    if (event && event.type !== "reply") return understood(requester, here, event);
    if (event || hasBegun(requester, here)) return readOn(requester, here, { event });
    requester.waitForRequest(requester.known ? "idle" : undefined);
    return requester.fill().then(
      (more) => more ? readOn(requester, here, { waited: true }) : ENDED,
      notBegun,
    );
  } catch (error) {
    return misunderstood(requester, here, error);
  }
}

/** What came before {@linkcode readOn}. */
interface Before {
  /** What was understood and is not answered yet. */
  readonly event?: HandshakeEvent;
  /** Whether the client was waited for: its header deadline begins with its first byte. */
  readonly waited?: boolean;
}

/** Reads until the codec has understood a whole event. */
async function readOn(
  requester: Requester,
  here: Reading,
  { event: first, waited = false }: Before,
): Promise<Outcome<"reading">> {
  const { client: { reader }, services: { unfinishedHeads } } = requester;
  /** Whether the client owes nothing: empty lines are some clients' old bug, and begin nothing. */
  let idle = false;
  let held = false;
  try {
    for (let event = first;; event = undefined) {
      event ??= here.handshake.read(reader.buffer);
      const begun = event !== undefined || hasBegun(requester, here);
      if (begun && waited) requester.setDeadline("header");
      waited = !begun;
      if (event?.type === "reply") await requester.reply(event.bytes);
      else if (event) return understood(requester, here, event);
      else {
        idle = !begun;
        if (reader.buffer.length > 0) {
          held = true;
          unfinishedHeads.hold(requester, reader.buffer.capacity);
        }
        if (!await requester.fill()) return ENDED;
        idle = false;
      }
    }
  } catch (error) {
    return idle ? notBegun(error) : misunderstood(requester, here, error);
  } finally {
    if (held) unfinishedHeads.release(requester);
  }
}

/** Whether the client has said something of a request. SOCKS clients have, once their protocol was detected. */
function hasBegun({ client }: Requester, { handshake, user }: Reading): boolean {
  return user !== undefined || !PROTOCOLS[handshake.protocol].persistent || client.reader.buffer.length > 0 ||
    handshake.asked !== undefined;
}

function understood(
  requester: Requester,
  { handshake, user }: Reading,
  event: Exclude<HandshakeEvent, { type: "reply" }>,
): Outcome<"reading"> {
  if (event.type === "credentials") {
    return { event: "credentials", payload: { handshake, credentials: event.credentials } };
  }
  const { request } = event;
  const recording = beginRecord(requester, handshake.protocol, { user, request });
  return { event: "request", payload: { handshake, recording, request } };
}

/** What no grammar allows, or what did not arrive in time. */
function misunderstood(
  requester: Requester,
  { handshake, user }: Reading,
  error: unknown,
): Outcome<"reading"> {
  const fault = toFault(error, "client");
  if (fault.code === "client_disconnected") throw fault;
  const recording = beginRecord(requester, handshake.protocol, { user, asked: handshake.asked });
  const event = fault.code === "client_timeout" ? "timedOut" : "malformed";
  return { event, payload: { handshake, fault, recording } };
}

/** The client leaves, or has to, before it has said anything. */
function notBegun(error: unknown): Outcome<"reading"> {
  const fault = toFault(error, "client");
  if (fault.code === "client_disconnected") throw fault;
  return ENDED;
}

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
  requester: Requester,
  { handshake, recording, request }: RequestPayloads["authorizing"],
): Outcome<"authorizing"> {
  try {
    const { refusal } = requester;
    if (refusal instanceof Fault) throw refusal;
    const { role } = requester;
    const isAdmin = role === "admin";
    if (isAdmin && (request.kind !== "own" || request.page === undefined)) throw noProxyRequest();
    if (request.kind === "own") {
      const host = request.http.head.fields.get("host") ?? "";
      if (!isAdmin && requester.services.settings.disguised) {
        throw new Fault("proxy_authentication_required", "A stranger asked");
      }
      if (request.page !== undefined && !maySeePages(requester.client, host, role)) throw noProxyRequest();
      requester.known = true;
      recording.ownPage = request.page !== undefined;
      return { event: "answered", payload: { handshake, recording, origin: { kind: "self", request } } };
    }
    const question = questionOf(requester.client, {
      protocol: ruleWord(request.kind, handshake.protocol),
      user: recording.user,
      target: request.target,
    });
    // A datagram says by itself where it goes.
    if (request.kind !== "association") refuseDenied(requester.services.rules().decide(question));
    requester.known = true;
    return { event: "allowed", payload: { handshake, recording, request, question, attempt: "first" } };
  } catch (error) {
    return { event: "forbidden", payload: { handshake, recording, fault: toFault(error) } };
  }
}
