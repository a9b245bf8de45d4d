/**
 * One HTTP request and its response, streamed both ways at once.
 *
 * The request's body goes up while the response comes down, so that neither waits for the other: an origin may
 * answer early, or answer each chunk as it comes. Only the bytes of one read are buffered.
 *
 * Neither half ends the other. An origin that has answered still gets the body, as long as it takes it and the client
 * sends it. An origin that stops taking the body may still answer. A client that was answered early may send its next
 * request behind the body, unless it was told `Connection: close`. It is told so if the body may never come whole (RFC
 * 9112 section 9.3): the origin closes, or the client waits for permission to send the body (Expect).
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
 * The most informational answers that one request may have. They carry hints and signs of life, and each costs the
 * client as much as an answer. RFC 2518 asked for a 102 every 20 s, so this is half an hour of them.
 */
const MAX_INTERIM = 100;

/** How an exchange went. */
export type ExchangeEnd =
  /** The response is complete, and the client may send its next request. */
  | { readonly how: "reusable" }
  /**
   * The response is complete; the client's connection has to be closed. `fault` is what broke the request's body off.
   */
  | { readonly how: "finished"; readonly fault?: Fault }
  /** 101 Switching Protocols: what follows is not HTTP. */
  | { readonly how: "upgraded" }
  /** Nothing was sent to the client yet, so it can still be told of the fault. */
  | { readonly how: "unanswered"; readonly fault: Fault }
  /** The response broke off after its head. The client learns it only from the cut connection. */
  | { readonly how: "cut"; readonly fault: Fault };

/** What an exchange works with. */
export interface ExchangeOptions {
  readonly client: ClientSide;
  readonly origin: OriginSide;
  /** The origin's end of the connection, whose unsent bytes show that it still moves. */
  readonly far: Channel;
  /** Who is at that end. Undefined: the target. */
  readonly party?: Party;
  /** Whether this client is bound to a connection that an origin has authenticated (see `authentication.ts`). */
  readonly bound: boolean;
  /** The settings in force for this exchange. */
  readonly settings: Pick<Settings, "limits">;
  /** Whether the client may keep its connection. Asked when the response's head is written. */
  readonly keepAlive: () => boolean;
  readonly observer: ExchangeObserver;
}

/** Told of the bytes that move. */
export interface ExchangeObserver {
  /** The origin's side took content from the client. */
  sent(count: number): void;
  /** The client's side took content from the origin. */
  received(count: number): void;
  /** The final response's head is on its way to the client. */
  answered(status: number): void;
}

/** One request's way to the origin and back. Run it once. */
export class Exchange implements Watcher {
  readonly #options: ExchangeOptions;
  /**
   * How far the request's body is. `client` and `origin`: it waits for that side. `taken`: the client has sent all of
   * it.
   */
  #upload: "client" | "origin" | "taken" | "done" | "failed" = "origin";
  /** The fault that broke the exchange off. It goes before the faults that the cut streams report afterwards. */
  #fault: Fault | undefined;
  /** The fault that broke off the sending of the request. */
  #broken: Fault | undefined;
  #interim = 0;
  /** How far the response is. `sent`: the client was given the head. `complete`: it was given all of it. */
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

  /** Whether the origin's connection now belongs to this client, so that both end together. */
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

  /** Breaks the exchange off from outside: the deadline has passed, or the proxy is shutting down. */
  cut(fault: Fault): void {
    const slowClient = fault.code === "http_response_timeout" && this.#upload === "client";
    const cause = this.#fault ??= slowClient
      ? new Fault("client_timeout", "The request body did not arrive in time")
      : fault;
    this.#options.origin.cut(cause);
    // A client that has its whole answer keeps it. Only the wait for the rest of its request ends.
    if (this.#response === "complete") this.#options.client.interrupt(cause);
    else if (this.#response === "sent") this.#options.client.cut(cause);
  }

  /** Returns undefined if the whole request could be sent at once. Never rejects. */
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
    // An origin that stopped reading may still have answered. Any other fault ends the exchange.
    if (fault.blame === "upstream") return;
    this.#fault = fault;
    this.#options.origin.cut(fault);
  }

  #sent(): void {
    this.#upload = "done";
    // Until it is answered, the client may send its next request, or leave.
    if (this.#response !== "complete") this.#options.client.watch(this);
  }

  /** The client was answered before the whole request was sent. */
  async #finishUpload(upload: Promise<void>): Promise<void> {
    const { client } = this.#options;
    // RFC 9112 section 9.6: a client that waits for the close sees it, and can still send the rest of its request.
    if (!this.#persistent) await client.finish();
    await upload;
    // The origin takes no more. Closing while the client still sends would reset its connection, and it would lose the
    // answer.
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

  /**
   * The final response's head, or 101, once it has arrived. Passes other informational ones on (RFC 9110 section 15.2).
   */
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

  /** Returns undefined if the client could be sent all of it at once. */
  #relayResponse(head: ResponseHead, framing: Framing): Promise<void> | undefined {
    const { client, origin, bound, keepAlive, observer } = this.#options;
    const { request } = client;
    this.#binds = bound || bindsConnection(request.head, head);
    const persistent = this.#persistent = client.delimits(framing) && request.persistent &&
      this.#bodyWillBeRead(head) && keepAlive() &&
      !(this.#binds && (origin.closes(head) || framing.kind === "close")) &&
      // RFC 9931: if an upgrade was not granted, the bytes behind the request may belong to the other protocol.
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
    // Nothing has left so far, so a fault in the first bytes of the body can still be told.
    this.#response = "sent";
    return relaying;
  }

  /**
   * RFC 4559 section 6: through a proxy, clients use such a scheme only if all proxies say that they keep connections.
   */
  #isSessionBased({ status, fields }: ResponseHead): boolean {
    if (status !== 401 || bindingScheme(fields, "www-authenticate") === undefined) return false;
    return !this.#options.origin.isProxy ||
      fields.tokens("proxy-support").includes("session-based-authentication");
  }

  /** RFC 9112 section 9.3: the next request begins where this body ends, so the whole body has to be read. */
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
