/**
 * The steps that serve a request: dialing its target, and moving its bytes.
 *
 * @module
 */

import { answerOf, type PageRequest } from "../admin/pages.ts";
import {
  chooseRoute,
  dial,
  type DialRequest,
  partyFault,
  requireDirectRoute,
  suspectProxy,
  takeKept,
  type TargetConnection,
} from "../dialing/dialing.ts";
import type { Held } from "../dialing/lifeline.ts";
import type { ChosenRoute } from "../dialing/router.ts";
import { LATER, type Moved, type Resume, type Step } from "../driver.ts";
import { Fault, malformed, type Party, toFault } from "../faults.ts";
import type { Recording } from "../observe/record.ts";
import { PROTOCOLS } from "../protocols/client_protocols.ts";
import type { OwnRequest } from "../protocols/common/handshake.ts";
import type { HttpRequest } from "../protocols/http/message.ts";
import type { ClientSide, OriginSide } from "../protocols/http/sides.ts";
import { Fields } from "../protocols/http/fields.ts";
import { type Making, OPTIONS_ANSWER, pageAnswer } from "../protocols/http/own_answer.ts";
import { Http1Origin } from "../protocols/http1/sides.ts";
import type { Channel } from "../streams/channel.ts";
import { Exchange, type ExchangeEnd, type ExchangeObserver } from "../traffic/exchange.ts";
import { relay, type RelayEnd, type RelayObserver } from "../traffic/relay.ts";
import type { Cuttable } from "../traffic/watch.ts";
import { openAssociation } from "./datagrams.ts";
import { Meter } from "./records.ts";
import type { Requester } from "./requester.ts";
import type { RequestServices } from "./services.ts";
import {
  brokenOff,
  GRACEFUL,
  HTTP_AGAIN,
  type Origin,
  type Outcome,
  type RequestPayloads,
  type RequestSteps,
} from "./step.ts";

const NOTHING = new Uint8Array(0);

// Shared by all requests: a stack trace for each would cost more than the close.
const EXCHANGE_OVER = new Fault("connection_terminated", "The exchange is over");
const TUNNEL_OVER = new Fault("connection_terminated", "The tunnel is over");

/** How many bytes to read and throw away, at most, on a connection that only has to stay open (RFC 1928 section 7). */
const MAX_IDLE_BYTES = 64 * 1024;

/** The steps from an allowed request to its end. */
export const SERVING = {
  dialing(requester, here, resume) {
    if (!leadsToTarget(here)) return associate(requester, here);
    try {
      const chosen = chooseRoute(requester, here);
      if (!(chosen instanceof Promise)) return reach(requester, here, chosen, resume);
      chosen.then((chosen) => {
        const outcome = reach(requester, here, chosen, resume);
        if (outcome !== LATER) resume.moved(outcome);
      }).catch((error) => tell(resume, () => unreachable(here, error)));
      return LATER;
    } catch (error) {
      return unreachable(here, error);
    }
  },

  exchanging(requester, here, resume) {
    const { recording, origin } = here;
    if (origin.kind === "self") return answer(requester, recording, origin.request);
    return new Exchanging(requester, here as ServedByServer, resume).run();
  },

  relaying(requester, { recording, target, reply }, resume) {
    const tunnel = new Relaying(requester, { recording, target, resume });
    requester.cuttable = tunnel;
    const replying = reply.length > 0 ? requester.reply(reply) : undefined;
    if (replying) replying.then(() => tunnel.run(), (fault) => tunnel.reject(fault));
    else tunnel.run();
    return LATER;
  },

  async associating(requester, { open: { association }, reply }) {
    const { client, services, id } = requester;
    try {
      await requester.reply(reply);
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
} satisfies Partial<RequestSteps>;

/** Runs a tunnel, counts its bytes, and turns its end into an event. */
class Relaying extends Meter implements RelayObserver, RelayEnd, Cuttable {
  readonly far: Channel;
  readonly party: Party;
  readonly #requester: Requester;
  readonly #recording: Recording;
  readonly #resume: Resume<Outcome<"relaying">>;
  readonly #held: Held | undefined;

  constructor(
    requester: Requester,
    { recording, target, resume }: {
      readonly recording: Recording;
      readonly target: TargetConnection;
      readonly resume: Resume<Outcome<"relaying">>;
    },
  ) {
    super(requester, recording);
    this.far = target.channel;
    this.party = partyOf(target);
    this.#requester = requester;
    this.#recording = recording;
    this.#resume = resume;
    this.#held = requester.services.lifelines.hold(target, requester, recording);
  }

  run(): void {
    relay(this.#requester.client, this.far, this);
  }

  /** See `Cuttable`. */
  cut(fault: Fault): void {
    this.#requester.client.cut(fault);
    this.far.cut(fault);
  }

  /** See `RelayEnd`. */
  resolve(fault: Fault | undefined): void {
    this.#release();
    this.#resume.moved(fault ? brokenOff(this.#recording, fault) : DRAINED);
  }

  /** See `RelayEnd`. */
  reject(fault: Fault): void {
    this.#release();
    this.#resume.failed(fault);
  }

  #release(): void {
    this.#held?.release();
    this.far.drop(TUNNEL_OVER);
  }
}

const DRAINED: Outcome<"relaying"> = { event: "drained", payload: GRACEFUL };

type Dialing = RequestPayloads["dialing"];

/** A request for one target. An association has none: each datagram names its own. */
type DialingTarget = Dialing & DialRequest;

function leadsToTarget(here: Dialing): here is DialingTarget {
  return here.request.kind !== "association";
}

async function associate(requester: Requester, here: Dialing): Promise<Outcome<"dialing">> {
  const { handshake, recording, question, request } = here;
  try {
    await requireDirectRoute(requester, question);
    recording.route = "direct";
    const open = await openAssociation(requester, request.target, recording);
    recording.status = PROTOCOLS[handshake.protocol].established;
    return {
      event: "association",
      payload: { recording, open, reply: handshake.established({ local: open.bound }) },
    };
  } catch (error) {
    return unreachable(here, error);
  }
}

/** Takes a kept connection, or dials. */
function reach(
  requester: Requester,
  here: DialingTarget,
  chosen: ChosenRoute,
  resume: Resume<Outcome<"dialing">>,
): Outcome<"dialing"> | typeof LATER {
  const kept = keptFor(requester, here, chosen);
  if (kept) return reached(here, kept, true);
  dial(requester, chosen, here).then(
    (target) => tell(resume, () => reached(here, target, false)),
    (error) => tell(resume, () => unreachable(here, error)),
  );
  return LATER;
}

/**
 * A kept connection may have died unnoticed. A request that must not be sent again therefore takes only one that was used
 * a moment ago.
 */
function keptFor(
  requester: Requester,
  here: DialingTarget,
  chosen: ChosenRoute,
): TargetConnection | undefined {
  const { request, attempt } = here;
  if (request.kind !== "exchange" || attempt !== "first") return undefined;
  return takeKept(requester, chosen, here, !isRepeatable(request.http));
}

/** Moves on once the target is reached, over a kept connection or a new one. */
function reached(
  { handshake, recording, request, question }: DialingTarget,
  target: TargetConnection,
  kept: boolean,
): Outcome<"dialing"> {
  recording.route = target.route;
  if (request.kind === "exchange") {
    const origin: Origin = { kind: "server", target, kept, request, question };
    return { event: "exchange", payload: { handshake, recording, origin } };
  }
  recording.status = PROTOCOLS[handshake.protocol].established;
  const reply = handshake.established(target.channel);
  return { event: "tunnel", payload: { recording, target, reply } };
}

function unreachable(
  { handshake, recording }: Dialing,
  error: unknown,
): Outcome<"dialing"> {
  const fault = toFault(error);
  if (fault.code === "client_disconnected" || fault.code === "proxy_shutdown") throw fault;
  return { event: "unreachable", payload: { handshake, recording, fault } };
}

/** Goes on with an outcome that is still to be made, or with what is thrown meanwhile. */
function tell<O extends Moved>(resume: Resume<O>, outcomeOf: () => O): void {
  let outcome;
  try {
    outcome = outcomeOf();
  } catch (error) {
    return resume.failed(error);
  }
  resume.moved(outcome);
}

/** Answers from the proxy itself. */
async function answer(
  requester: Requester,
  recording: Recording,
  { http, page }: OwnRequest,
): Promise<Outcome<"exchanging">> {
  const { services } = requester;
  const persistent = http.persistent && http.framing.kind === "none" && requester.keepAlive;
  const own = page === undefined
    ? OPTIONS_ANSWER
    : pageAnswer(await answerOf(pageRequest(requester, http, page), services.facts()));
  recording.status = own.status;
  const client = requester.clientSide(http);
  client.answerOwn(own, persistent);
  if (own.body instanceof Uint8Array || http.head.method === "HEAD") await client.flush();
  else await send(requester, client, own.body);
  return persistent ? AGAIN : FINISHED;
}

function pageRequest(
  { role }: Requester,
  { head: { method, fields } }: HttpRequest,
  path: string,
): PageRequest {
  return { method, path, host: fields.get("host") ?? "", accept: fields.tokens("accept"), fields, role };
}

/** Sends a body while it is made, until it ends or the client is gone. */
async function send(requester: Requester, client: ClientSide, making: Making<Uint8Array>): Promise<void> {
  const gone = new AbortController();
  requester.cuttable = {
    cut(fault) {
      gone.abort(fault);
      requester.client.cut(fault);
    },
  };
  client.watch({ stirred: (fault) => fault && gone.abort(fault) });
  await client.flush();
  for await (const piece of making(gone.signal)) {
    client.data(piece);
    requester.setDeadline("idle");
    await client.flush();
  }
  gone.signal.throwIfAborted();
  client.end(NO_TRAILERS);
  await client.flush();
}

const NO_TRAILERS = new Fields();

const AGAIN: Outcome<"exchanging"> = { event: "reusable", payload: HTTP_AGAIN };
const FINISHED: Outcome<"exchanging"> = { event: "finished", payload: GRACEFUL };

/** The payload of an exchange with a server. */
type ServedByServer = RequestPayloads["exchanging"] & { readonly origin: { readonly kind: "server" } };

/** Runs an exchange, counts its bytes, and turns its end into an event. */
class Exchanging extends Meter implements ExchangeObserver {
  readonly #requester: Requester;
  readonly #here: ServedByServer;
  readonly #resume: Resume<Outcome<"exchanging">>;
  readonly #exchange: Exchange;

  constructor(requester: Requester, here: ServedByServer, resume: Resume<Outcome<"exchanging">>) {
    super(requester, here.recording);
    const { services } = requester;
    const { target, request } = here.origin;
    this.#requester = requester;
    this.#here = here;
    this.#resume = resume;
    this.#exchange = new Exchange({
      client: requester.clientSide(request.http),
      origin: originSide(services, target, request.http),
      far: target.channel,
      party: partyOf(target),
      bound: target.lost !== undefined,
      settings: services.settings,
      observer: this,
      paces: here.recording.paces,
    });
    requester.cuttable = this.#exchange;
  }

  run(): Step<Outcome<"exchanging">> {
    const end = this.#exchange.run();
    return end ? this.#concluded(end) : LATER;
  }

  /** See `ExchangeObserver`. */
  get keepAlive(): boolean {
    return this.#requester.keepAlive;
  }

  /** See `ExchangeObserver`. */
  ended(end: ExchangeEnd): void {
    tell(this.#resume, () => this.#concluded(end));
  }

  #concluded(end: ExchangeEnd): Outcome<"exchanging"> {
    return concluded(this.#requester, this.#here, { exchange: this.#exchange, end });
  }
}

/** Turns the end of an exchange into an event. */
function concluded(
  requester: Requester,
  { handshake, recording, origin }: ServedByServer,
  { exchange, end }: { readonly exchange: Exchange; readonly end: ExchangeEnd },
): Outcome<"exchanging"> {
  const { services } = requester;
  const { target, kept, request, question } = origin;
  switch (end.how) {
    case "upgraded":
      return { event: "upgraded", payload: { recording, target, reply: NOTHING } };
    case "reusable":
    case "finished":
      if (end.how === "reusable" && exchange.originReusable && target.key !== undefined) {
        services.pool.put(requester, exchange.binds ? boundTo(requester, target) : target);
        return AGAIN;
      }
      target.channel.drop(EXCHANGE_OVER);
      if (end.how === "finished" && end.fault && !isDeclined(request.http, recording)) {
        return brokenOff(recording, end.fault);
      }
      return end.how === "reusable" && !exchange.binds ? AGAIN : FINISHED;
    case "unanswered":
      target.channel.drop(EXCHANGE_OVER);
      if (end.fault.code === "client_disconnected" || end.fault.code === "proxy_shutdown") throw end.fault;
      // RFC 9110 section 9.2.2: try once more if the method allows it and the origin closed before it answered.
      if (kept && end.fault.code === "connection_terminated") {
        // The client has to authenticate its next connection itself, so this one ends together with the origin's.
        if (target.lost) throw end.fault;
        if (isRepeatable(request.http)) {
          return { event: "stale", payload: { handshake, recording, request, question, attempt: "second" } };
        }
        services.pool.distrust(target.key!);
      }
      target.lost?.();
      if (target.proxy && !kept) suspectProxy(requester, target, end.fault);
      return {
        event: "unanswered",
        payload: { handshake, recording, fault: partyFault(target, end.fault) },
      };
    case "cut":
      target.channel.drop(EXCHANGE_OVER);
      throw end.fault;
  }
}

/** Binds the client to this connection to the origin: each of the two ends with the other. */
function boundTo(requester: Requester, target: TargetConnection): TargetConnection {
  return target.lost ? target : { ...target, lost: () => requester.drain() };
}

/**
 * RFC 9110 section 10.1.1: if a client waits for permission to send its body and gets the answer instead, it sends no
 * body.
 */
function isDeclined({ head }: HttpRequest, { sent }: Recording): boolean {
  return sent === 0 && head.fields.has("expect");
}

/** The only place that knows which version of HTTP an origin speaks. */
function originSide(
  { settings }: RequestServices,
  { channel, proxy }: TargetConnection,
  request: HttpRequest,
): OriginSide {
  return new Http1Origin({ channel, proxy, request, settings });
}

/** Which party is at the other end of the connection itself. */
function partyOf({ chain }: TargetConnection): Party {
  return chain.length > 0 ? "next proxy" : "target";
}

const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** RFC 9110 section 9.2.2: the method is idempotent, and there is no body that would be lost. */
function isRepeatable({ head, framing }: HttpRequest): boolean {
  return framing.kind === "none" && REPEATABLE.has(head.method);
}
