/**
 * One HTTP request and its response, streamed both ways at once.
 *
 * The request's body goes up while the response comes down, so that neither waits for the other: an origin may
 * answer early, or answer chunk by chunk what it is sent. Nothing is buffered but what one read brought.
 *
 * Neither half ends the other. An origin that has answered goes on getting the body for as long as it takes it and the
 * client sends it, and an origin that takes no more of the body is still listened to. A client that was answered early
 * may send its next request behind the body, unless it was told `Connection: close`. It is told so where the body may
 * never come whole (RFC 9112 section 9.3): the origin closes, or the client waits for permission to send it (Expect).
 *
 * @module
 */

import { Fault, malformed, type Party, toFault } from "../faults.ts";
import { bindingScheme, bindsConnection } from "../protocols/http/authentication.ts";
import type { Framing, ResponseHead } from "../protocols/http/message.ts";
import type { ClientSide, OriginSide } from "../protocols/http/sides.ts";
import type { Settings } from "../settings/settings.ts";
import type { Watcher } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import { discardBody, pumpBody } from "./body_pump.ts";

/**
 * The most informational answers that one request may have. They carry hints and signs of life (102 every 20 s was what
 * RFC 2518 asked for, so this is half an hour of it), and cost the client as much as answers.
 */
const MAX_INTERIM = 100;

/** How an exchange went. */
export type ExchangeEnd =
  /** The response is complete, and both sides know where the client's next request begins. */
  | { readonly how: "reusable" }
  /** The response is complete; the client's connection is to be closed. `fault` is what broke the request's body off. */
  | { readonly how: "finished"; readonly fault?: Fault }
  /** 101 Switching Protocols: what follows is not HTTP. */
  | { readonly how: "upgraded" }
  /** Nothing was sent to the client yet: it can still be told. */
  | { readonly how: "unanswered"; readonly fault: Fault }
  /** The response broke off behind its head: only a cut connection tells the client so. */
  | { readonly how: "cut"; readonly fault: Fault };

/** What an exchange works with. */
export interface ExchangeOptions {
  readonly client: ClientSide;
  readonly origin: OriginSide;
  /** The origin's end of the connection: whoever watches over silence looks at it. */
  readonly far: Channel;
  /** Who is at that end; the target where undefined. */
  readonly party?: Party;
  /** Whether an origin has let in its connection, and by that this client (see `authentication.ts`). */
  readonly bound: boolean;
  /** What is in force for this exchange. */
  readonly settings: Pick<Settings, "limits">;
  /** Whether the client may keep its connection; asked when the response's head is written. */
  readonly keepAlive: () => boolean;
  readonly observer: ExchangeObserver;
}

/** Told of what moves. */
export interface ExchangeObserver {
  /** Content from the client was taken by the origin's side. */
  sent(count: number): void;
  /** Content from the origin was taken by the client's side. */
  received(count: number): void;
  /** The final response's head is on its way to the client. */
  answered(status: number): void;
}

/** One request's way to the origin and back. Run it once. */
export class Exchange implements Watcher {
  readonly #options: ExchangeOptions;
  /** Where the request's body stands: `client` and `origin` are who is waited for; `taken` is what the client has sent all of. */
  #upload: "client" | "origin" | "taken" | "done" | "failed" = "origin";
  /** What broke it off; goes before whatever the cut streams then report. */
  #fault: Fault | undefined;
  /** What broke the request off while it was sent. */
  #broken: Fault | undefined;
  #interim = 0;
  /** How far the response is: `sent` is that its head, and `complete` that all of it, was given to the client. */
  #response: "awaited" | "sent" | "complete" = "awaited";
  #persistent = false;
  #binds = false;
  #originReusable = false;

  /** Takes both sides over until {@link Exchange.run} has settled. */
  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** Whether the origin's connection is ready for the next request. */
  get originReusable(): boolean {
    return this.#originReusable;
  }

  /** Whether the origin's connection is from now on this client's: both end together. */
  get binds(): boolean {
    return this.#binds;
  }

  /** Runs it; never rejects. */
  async run(): Promise<ExchangeEnd> {
    const { client, origin } = this.#options;
    const upload = this.#sendRequest();
    try {
      let head = this.#nextHead();
      while (!head) {
        const passing = client.flush();
        if (passing) await passing;
        if (!await origin.fill()) throw cutHead(origin);
        head = this.#nextHead();
      }
      if (head.status === 101) return await this.#switchProtocols(head, upload);
      const framing = origin.beginBody(head);
      const relaying = this.#relayResponse(head, framing);
      if (relaying) await relaying;
      this.#response = "complete";
      if (upload && this.#upload !== "done") await this.#finishUpload(upload);
      this.#originReusable = this.#upload === "done" && origin.isReusable(head);
      if (this.#upload === "failed") return { how: "finished", fault: this.#broken };
      return this.#persistent ? REUSABLE : FINISHED;
    } catch (error) {
      const fault = this.#fault ?? toFault(error);
      origin.cut(fault);
      if (this.#response === "awaited") client.withdraw();
      return { how: this.#response === "awaited" ? "unanswered" : "cut", fault };
    }
  }

  /** See `Cuttable`. */
  get far(): Channel {
    return this.#options.far;
  }

  /** See `Cuttable`. */
  get party(): Party | undefined {
    return this.#options.party;
  }

  /** Breaks it off from outside: the deadline has passed, or the proxy is shutting down. */
  cut(fault: Fault): void {
    const slowClient = fault.code === "http_response_timeout" && this.#upload === "client";
    const cause = this.#fault ??= slowClient
      ? new Fault("client_timeout", "The request body did not arrive in time")
      : fault;
    this.#options.origin.cut(cause);
    // A client that has its whole answer is to keep it: only the wait for the rest of its request is given up.
    if (this.#response === "complete") this.#options.client.interrupt(cause);
    else if (this.#response === "sent") this.#options.client.cut(cause);
  }

  /** Undefined where the request is on its way at once. Never rejects. */
  #sendRequest(): Promise<void> | undefined {
    const { client: { request, address }, origin } = this.#options;
    try {
      this.#refuseTooLarge(request.framing);
      origin.send(request, address);
      const sending = request.framing.kind === "none" ? this.#sendHead() : this.#sendBody();
      if (sending) return sending.then(() => this.#sent(), (error) => this.#sendingFailed(error));
      this.#sent();
    } catch (error) {
      this.#sendingFailed(error);
    }
    return undefined;
  }

  #refuseTooLarge(framing: Framing): void {
    const { bodySize } = this.#options.settings.limits;
    if (framing.kind === "length" && framing.length > bodySize) throw bodyTooLarge(bodySize);
  }

  #sendHead(): Promise<void> | undefined {
    this.#upload = "taken";
    return this.#options.origin.flush();
  }

  #sendBody(): Promise<void> | undefined {
    const { client, origin, settings: { limits }, observer } = this.#options;
    let left = limits.bodySize;
    return pumpBody(client, origin, {
      moved: (count) => {
        left -= count;
        if (left < 0) throw bodyTooLarge(limits.bodySize);
        observer.sent(count);
      },
      waiting: (forBytes) => this.#upload = forBytes ? "client" : "origin",
      taken: () => this.#upload = "taken",
      cutShort: () => new Fault("http_request_error", "The request body is shorter than its head says"),
    });
  }

  #sendingFailed(error: unknown): void {
    const fault = toFault(error);
    this.#broken = fault;
    this.#upload = "failed";
    // An origin that stopped reading may have answered all the same; anything else ends the exchange.
    if (fault.blame === "upstream") return;
    this.#fault = fault;
    this.#options.origin.cut(fault);
  }

  #sent(): void {
    this.#upload = "done";
    // What the client sends meanwhile is its next request; it may also leave before it was answered.
    if (this.#response !== "complete") this.#options.client.watch(this);
  }

  /** The client was answered before its request was through. */
  async #finishUpload(upload: Promise<void>): Promise<void> {
    const { client } = this.#options;
    // RFC 9112 section 9.6: a client that waits for the close sees it, and may go on sending all the same.
    if (!this.#persistent) await client.finish();
    await upload;
    // The origin takes no more. To close on a client that sends on would reset it, and cost it the answer.
    const orphaned = this.#upload === "failed" && this.#fault === undefined &&
      client.request.framing.kind !== "none";
    if (orphaned && await discardBody(client).catch(() => false)) this.#upload = "taken";
  }

  /** See `Watcher`. */
  stirred(fault: Fault | undefined): void {
    if (!fault) return;
    this.#fault ??= fault;
    if (!this.#originReusable) this.#options.origin.cut(fault);
  }

  /** The final response's head, or 101, once it has arrived. Other informational ones are passed on (RFC 9110 section 15.2). */
  #nextHead(): ResponseHead | undefined {
    const { client, origin } = this.#options;
    while (true) {
      const head = origin.head();
      if (!head || head.status >= 200 || head.status === 101) return head;
      if (++this.#interim > MAX_INTERIM) {
        throw new Fault("http_protocol_error", `More than ${MAX_INTERIM} informational answers came`);
      }
      if (client.request.head.version !== "1.0") client.inform(head);
    }
  }

  async #switchProtocols(head: ResponseHead, upload: Promise<void> | undefined): Promise<ExchangeEnd> {
    const { client, observer } = this.#options;
    if (client.request.upgrade === undefined) throw new Fault("http_upgrade_failed");
    await upload;
    this.#response = "sent";
    observer.answered(101);
    client.inform(head);
    await client.flush();
    return { how: "upgraded" };
  }

  /** Undefined where the client was sent all of it at once. */
  #relayResponse(head: ResponseHead, framing: Framing): Promise<void> | undefined {
    const { client, origin, bound, keepAlive, observer } = this.#options;
    const { request } = client;
    this.#binds = bound || bindsConnection(request.head, head);
    const persistent = this.#persistent = client.delimits(framing) && request.persistent &&
      this.#bodyWillBeRead(head) && keepAlive() &&
      !(this.#binds && (origin.closes(head) || framing.kind === "close")) &&
      // RFC 9931: what follows a request for another protocol that was not granted may be meant for that one.
      (request.upgrade === undefined || !client.hasMore);
    observer.answered(head.status);
    const sessionBased = persistent && this.#isSessionBased(head);
    client.answer(head, { framing, persistent, sessionBased });
    const relaying = pumpBody(origin, client, {
      moved: (count) => observer.received(count),
      waiting: ignore,
      taken: ignore,
      cutShort: responseCutShort,
    });
    // Until here nothing has left: what is wrong with the first bytes of the body can still be told.
    this.#response = "sent";
    return relaying;
  }

  /** RFC 4559 section 6: clients try such a scheme through proxies alone that all of them say that they keep connections. */
  #isSessionBased({ status, fields }: ResponseHead): boolean {
    if (status !== 401 || bindingScheme(fields, "www-authenticate") === undefined) return false;
    return !this.#options.origin.isProxy ||
      fields.tokens("proxy-support").includes("session-based-authentication");
  }

  /** RFC 9112 section 9.3: the next request begins where this one's body ends, so all of that has to be read. */
  #bodyWillBeRead(head: ResponseHead): boolean {
    if (this.#upload === "done" || this.#upload === "taken") return true;
    const { client, origin } = this.#options;
    return this.#upload !== "failed" && !origin.closes(head) && !client.request.head.fields.has("expect");
  }
}

const REUSABLE: ExchangeEnd = { how: "reusable" };
const FINISHED: ExchangeEnd = { how: "finished" };

function ignore(): void {}

function responseCutShort(): Fault {
  return new Fault("http_response_incomplete", "The response body is shorter than its head says");
}

/** RFC 9110 section 15.5.14. */
function bodyTooLarge(limit: number): Fault {
  return malformed(`The request body is larger than ${limit} bytes`, { status: 413 });
}

function cutHead({ isProxy, hasBegun }: OriginSide): Fault {
  const who = isProxy ? "The next proxy" : "The target";
  if (hasBegun) {
    return new Fault("http_response_incomplete", `${who} closed the connection within the response's head`);
  }
  return new Fault("connection_terminated", `${who} closed the connection without a response`);
}
