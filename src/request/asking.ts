/**
 * The steps in which a client asks: reading its request, checking its credentials, judging the request.
 *
 * @module
 */

import { maySeePages, nameOfPage } from "../admin/pages.ts";
import { LATER, type Resume, type Step } from "../driver.ts";
import { Fault, toFault } from "../faults.ts";
import type { Held } from "../limits/held.ts";
import type { LimitsInForce } from "../limits/limits_in_force.ts";
import { askRules, questionOf } from "../policy/judgement.ts";
import { Proof } from "../policy/proof.ts";
import { PROTOCOLS, ruleWord } from "../protocols/client_protocols.ts";
import type { HandshakeEvent } from "../protocols/common/handshake.ts";
import { noProxyRequest } from "../protocols/http1/request.ts";
import type { Waiter } from "../streams/byte_reader.ts";
import { beginRecord } from "./records.ts";
import type { Requester } from "./requester.ts";
import { GRACEFUL, type Outcome, type RequestPayloads, type RequestSteps } from "./step.ts";

/** The steps from the detected protocol to a request that is allowed. */
export const ASKING = {
  reading: read,

  authenticating(requester, { handshake, login }) {
    const { proof, services: { judges } } = requester;
    return login.words !== undefined && proof?.holds(login.words, judges)
      ? accept(requester, { handshake, user: proof.user })
      : authenticate(requester, { handshake, login });
  },

  authorizing(requester, here) {
    const { refusal } = requester;
    if (!(refusal instanceof Promise)) return authorize(requester, here);
    return requester.interruptible(refusal).then(() => authorize(requester, here));
  },
} satisfies Partial<RequestSteps>;

type Reading = RequestPayloads["reading"];

const ENDED: Outcome<"reading"> = { event: "ended", payload: GRACEFUL };

/**
 * Reads what has arrived. If that is nothing, it waits for the client; an idle connection costs no more than this wait.
 */
function read(
  requester: Requester,
  here: Reading,
  resume: Resume<Outcome<"reading">>,
): Step<Outcome<"reading">> {
  if (hasBegun(requester, here)) return readNow(requester, here);
  requester.waitForRequest(requester.known ? "idle" : undefined);
  requester.wait(new NextRequest(requester, here, resume));
  return LATER;
}

/** Reads what has arrived. Needs a promise only if that is not a whole event. */
function readNow(
  requester: Requester,
  here: Reading,
  waited = false,
): Outcome<"reading"> | Promise<Outcome<"reading">> {
  try {
    const event = here.handshake.read(requester.client.reader.buffer);
    if (!event || event.type === "reply") return readOn(requester, here, { event, waited });
    if (waited) requester.setDeadline("header");
    return understood(requester, here, event);
  } catch (error) {
    return misunderstood(requester, here, error);
  }
}

/** Waits for the first bytes of a request. */
class NextRequest implements Waiter {
  readonly #requester: Requester;
  readonly #here: Reading;
  readonly #resume: Resume<Outcome<"reading">>;

  constructor(requester: Requester, here: Reading, resume: Resume<Outcome<"reading">>) {
    this.#requester = requester;
    this.#here = here;
    this.#resume = resume;
  }

  /** See `Waiter`. */
  filled(more: boolean): void {
    const resume = this.#resume;
    if (!more) return resume.moved(ENDED);
    const outcome = readNow(this.#requester, this.#here, true);
    if (!(outcome instanceof Promise)) return resume.moved(outcome);
    outcome.then((moved) => resume.moved(moved), (error) => resume.failed(error));
  }

  /** See `Waiter`. The client has left, or was cut off, before it began a request. */
  failed(fault: Fault): void {
    if (fault.code === "client_disconnected") this.#resume.failed(fault);
    else this.#resume.moved(ENDED);
  }
}

/** What has happened before {@linkcode readOn}. */
interface Before {
  /** An event that the codec has read and that is not handled yet. */
  readonly event?: HandshakeEvent;
  /** Whether the client was waited for. Then the header deadline begins with the first byte. */
  readonly waited?: boolean;
}

/** Reads until the codec has understood a whole event. */
async function readOn(
  requester: Requester,
  here: Reading,
  { event: first, waited = false }: Before,
): Promise<Outcome<"reading">> {
  const { client: { reader }, services: { unfinishedHeads } } = requester;
  /** Whether the client is between requests. Empty lines do not begin a request: some old clients send them. */
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

/** Whether the client has begun a request. SOCKS clients have as soon as their protocol is detected. */
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
    return { event: "credentials", payload: { handshake, login: event } };
  }
  const { request } = event;
  const recording = beginRecord(requester, handshake.protocol, { user, request });
  return { event: "request", payload: { handshake, recording, request } };
}

/** The request breaks the grammar of its protocol, or did not arrive in time. */
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

/** The client has left, or was cut off, before it began a request. */
function notBegun(error: unknown): Outcome<"reading"> {
  const fault = toFault(error, "client");
  if (fault.code === "client_disconnected") throw fault;
  return ENDED;
}

/** Asks whether the credentials are right. */
async function authenticate(
  requester: Requester,
  { handshake, login: { credentials, words } }: RequestPayloads["authenticating"],
): Promise<Outcome<"authenticating">> {
  const { services, clientName } = requester;
  const { judges } = services;
  const { protocol } = handshake;
  let fault: Fault | undefined;
  const over = new AbortController();
  try {
    const asked = (async () =>
      await (credentials &&
        services.authenticate?.({ ...credentials, client: clientName, protocol }, over.signal)))();
    if (await requester.interruptible(asked)) {
      const user = credentials?.user || undefined;
      requester.proof = words !== undefined && judges ? new Proof(words, { user, judges }) : undefined;
      return await accept(requester, { handshake, user });
    }
  } catch (error) {
    fault = refusalOf(toFault(error, "client"));
  } finally {
    over.abort();
  }
  fault ??= new Fault("proxy_authentication_required", credentials ? "Wrong credentials" : "No credentials");
  const { asked } = handshake;
  const recording = beginRecord(requester, protocol, { triedUser: credentials?.user, asked });
  return { event: "denied", payload: { handshake, fault, recording } };
}

/** Tells the client that it is logged in, if its protocol has words for that. */
function accept(
  requester: Requester,
  { handshake, user }: RequestPayloads["reading"],
): Outcome<"authenticating"> | Promise<Outcome<"authenticating">> {
  // Set before the next wait, so that a reload that happens meanwhile can withdraw this user.
  requester.user = user;
  const outcome = { event: "accepted", payload: { handshake, user } } as const;
  const reply = handshake.accepted();
  const replying = reply.length > 0 ? requester.reply(reply) : undefined;
  return replying ? replying.then(() => outcome) : outcome;
}

/** What to tell a client whose credentials could not be judged. Throws the fault if the client is gone. */
function refusalOf(fault: Fault): Fault {
  switch (fault.code) {
    // If the callback threw, the proxy has failed; the credentials may be right.
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

/** Judges a request once the client is known. */
function authorize(
  requester: Requester,
  { handshake, recording, request }: RequestPayloads["authorizing"],
): Outcome<"authorizing"> | Promise<Outcome<"authorizing">> {
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
      if (request.page !== undefined) recording.page = nameOfPage(request.page);
      return { event: "answered", payload: { handshake, recording, origin: { kind: "self", request } } };
    }
    const asked = questionOf(requester.client, {
      protocol: ruleWord(request.kind, handshake.protocol),
      user: recording.user,
      target: request.target,
    });
    // Each datagram names its own target, and is judged by itself.
    const question = request.kind === "association" ? asked : askRules(requester.services, asked);
    requester.known = true;
    requester.question = question;
    const allowed: Allowed = {
      event: "allowed",
      payload: { handshake, recording, request, question, attempt: "first" },
    };
    const { limits } = requester.services;
    return limits ? admit(requester, limits, allowed) : allowed;
  } catch (error) {
    return { event: "forbidden", payload: { handshake, recording, fault: toFault(error) } };
  }
}

type Allowed = Outcome<"authorizing"> & { readonly event: "allowed" };

/** Counts a request that is allowed in, or refuses it by a limit. */
function admit(
  requester: Requester,
  limits: LimitsInForce,
  allowed: Allowed,
): Outcome<"authorizing"> | Promise<Outcome<"authorizing">> {
  const { recording, question } = allowed.payload;
  const held = requester.held = limits.meet(question, requester.held);
  if (held.isEmpty) return allowed;
  const refused = held.begin(recording);
  if (!(refused instanceof Promise)) return admitted(allowed, held, refused);
  return requester.interruptible(refused).then((refused) => admitted(allowed, held, refused), (error) => {
    // The client is gone. What the answer still grants is given back.
    refused.then((fault) => fault || held.release(), () => {});
    throw error;
  });
}

/** The outcome once the limits have answered. What a request holds is released with its record. */
function admitted(allowed: Allowed, held: Held, fault: Fault | undefined): Outcome<"authorizing"> {
  const { handshake, recording } = allowed.payload;
  if (fault) return { event: "forbidden", payload: { handshake, recording, fault } };
  recording.paces = held;
  return allowed;
}
