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

import { Fault, type Party, toFault } from "../faults.ts";
import { bindingScheme, bindsConnection } from "../protocols/http/authentication.ts";
import type { ResponseHead } from "../protocols/http/message.ts";
import type { ClientSide, OriginSide } from "../protocols/http/sides.ts";
import type { Settings } from "../settings/settings.ts";
import type { Waiter, Watcher } from "../streams/byte_reader.ts";
import type { Channel } from "../streams/channel.ts";
import { type BodyObserver, discardBody, pumpBody } from "./body_pump.ts";
import type { Pace, Paces } from "./pace.ts";
import { Upload, type UploadObserver } from "./upload.ts";

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
  readonly observer: ExchangeObserver;
  /** How fast the bodies may move, where that is limited. */
  readonly paces?: Paces;
}

/** Who runs an exchange. */
export interface ExchangeObserver {
  /** Whether the client may keep its connection. Asked when the response's head is written. */
  readonly keepAlive: boolean;
  /** The origin's side took content from the client. */
  sent(count: number): void;
  /** The client's side took content from the origin. */
  received(count: number): void;
  /** The final response's head is on its way to the client. */
  answered(status: number): void;
  /** The exchange has ended, after a wait. */
  ended(end: ExchangeEnd): void;
}

/** One request's way to the origin and back. Run it once. */
export class Exchange implements Waiter, Watcher, BodyObserver, UploadObserver {
  readonly #options: ExchangeOptions;
  readonly #upload: Upload;
  /** The fault that broke the exchange off. It goes before the faults that the cut streams report afterwards. */
  #fault: Fault | undefined;
  #interim = 0;
  /** The final response's head. */
  #head: ResponseHead | undefined;
  /** How far the response is. `sent`: the client was given the head. `complete`: it was given all of it. */
  #response: "awaited" | "sent" | "complete" = "awaited";
  #persistent = false;
  #binds = false;
  #originReusable = false;

  /** Takes both sides over until it has ended. */
  constructor(options: ExchangeOptions) {
    const { client, origin, settings: { limits: { bodySize } }, paces } = options;
    this.#options = options;
    this.#upload = new Upload({ client, origin, bodySize, pace: paces?.up }, this);
  }

  /** Whether the origin's connection is ready for the next request. */
  get originReusable(): boolean {
    return this.#originReusable;
  }

  /** Whether the origin's connection now belongs to this client, so that both end together. */
  get binds(): boolean {
    return this.#binds;
  }

  /** Runs it. Returns its end if nothing had to be waited for; otherwise tells the observer. Never throws. */
  run(): ExchangeEnd | undefined {
    this.#upload.start();
    return this.#leave(this.#advance());
  }

  /** Lets go of the client: with an exchange as its watcher, it would hold 2 KiB while it idles. */
  #leave(end: ExchangeEnd | undefined): ExchangeEnd | undefined {
    if (end) this.#options.client.unwatch();
    return end;
  }

  /** Goes on with what the origin has sent. */
  #advance(): ExchangeEnd | undefined {
    const { client, origin } = this.#options;
    try {
      const head = this.#nextHead();
      if (head) return head.status === 101 ? this.#switchProtocols(head) : this.#relayResponse(head);
      const passing = client.flush();
      if (passing) passing.then(() => origin.wait(this), (error) => this.failed(error));
      else origin.wait(this);
      return undefined;
    } catch (error) {
      return this.#broken(error);
    }
  }

  /** See `Waiter`: the origin has sent more. */
  filled(more: boolean): void {
    this.#tell(more ? this.#advance() : this.#broken(cutHead(this.#options.origin)));
  }

  /** See `Waiter`. */
  failed(error: unknown): void {
    this.#tell(this.#broken(error));
  }

  #tell(end: ExchangeEnd | undefined): void {
    if (this.#leave(end)) this.#options.observer.ended(end!);
  }

  #broken(error: unknown): ExchangeEnd {
    const { client, origin } = this.#options;
    const fault = this.#fault ?? toFault(error);
    origin.cut(fault);
    if (this.#response === "awaited") client.withdraw();
    return { how: this.#response === "awaited" ? "unanswered" : "cut", fault };
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
    const slowClient = fault.code === "http_response_timeout" && this.#upload.state === "client";
    const cause = this.#fault ??= slowClient
      ? new Fault("client_timeout", "The request body did not arrive in time")
      : fault;
    this.#options.origin.cut(cause);
    // A client that has its whole answer keeps it. Only the wait for the rest of its request ends.
    if (this.#response === "complete") this.#options.client.interrupt(cause);
    else if (this.#response === "sent") this.#options.client.cut(cause);
  }

  /** See `UploadObserver`. */
  sent(count: number): void {
    this.#options.observer.sent(count);
  }

  /** See `UploadObserver`. */
  uploaded(fault: Fault | undefined): void {
    const { client, origin } = this.#options;
    // Until it is answered, the client may send its next request, or leave.
    if (!fault) {
      if (this.#response !== "complete") client.watch(this);
      return;
    }
    // An origin that stopped reading may still have answered. Any other fault ends the exchange.
    if (fault.blame === "upstream") return;
    this.#fault = fault;
    origin.cut(fault);
  }

  /** The client was answered before the whole request was sent. */
  async #finishUpload(): Promise<ExchangeEnd> {
    const { client } = this.#options;
    const upload = this.#upload;
    try {
      // RFC 9112 section 9.6: a client that waits for the close sees it, and can still send the rest of its request.
      if (!this.#persistent) await client.finish();
      await upload.over();
      // The origin takes no more. Closing while the client still sends would reset its connection, and it would lose the
      // answer.
      const orphaned = upload.state === "failed" && this.#fault === undefined &&
        client.request.framing.kind !== "none";
      if (orphaned && await discardBody(client).catch(() => false)) upload.taken();
      return this.#over();
    } catch (error) {
      return this.#broken(error);
    }
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

  #switchProtocols(head: ResponseHead): undefined {
    if (this.#options.client.request.upgrade === undefined) throw new Fault("http_upgrade_failed");
    this.#upgrade(head).then((end) => this.#tell(end), (error) => this.failed(error));
  }

  async #upgrade(head: ResponseHead): Promise<ExchangeEnd> {
    const { client, observer } = this.#options;
    await this.#upload.over();
    this.#response = "sent";
    observer.answered(101);
    client.inform(head);
    await client.flush();
    return { how: "upgraded" };
  }

  /** Returns the end if the client could be sent all of it at once, and has sent all of its request. */
  #relayResponse(head: ResponseHead): ExchangeEnd | undefined {
    const { client, origin, bound, observer } = this.#options;
    const { request } = client;
    const framing = origin.beginBody(head);
    this.#head = head;
    this.#binds = bound || bindsConnection(request.head, head);
    const persistent = this.#persistent = client.delimits(framing) && request.persistent &&
      this.#bodyWillBeRead(head) && observer.keepAlive &&
      !(this.#binds && (origin.closes(head) || framing.kind === "close")) &&
      // RFC 9931: if an upgrade was not granted, the bytes behind the request may belong to the other protocol.
      (request.upgrade === undefined || !client.hasMore);
    observer.answered(head.status);
    const sessionBased = persistent && this.#isSessionBased(head);
    client.answer(head, { framing, persistent, sessionBased });
    const pumped = pumpBody(origin, client, this);
    // Nothing had left until here, so a fault in the first bytes of the body could still be told.
    this.#response = "sent";
    return pumped ? this.#complete() : undefined;
  }

  /** See `BodyObserver`, here and below: the response's body. */
  get pace(): Pace | undefined {
    return this.#options.paces?.down;
  }

  /** See `BodyObserver`. */
  moved(count: number): void {
    this.#options.observer.received(count);
  }

  /** See `BodyObserver`. */
  waiting(): void {
    this.#response = "sent";
  }

  /** See `BodyObserver`. */
  taken(): void {}

  /** See `BodyObserver`. */
  cutShort(): Fault {
    return new Fault("http_response_incomplete", "The response body is shorter than its head says");
  }

  /** See `BodyObserver`. */
  pumped(): void {
    this.#tell(this.#complete());
  }

  /** See `BodyObserver`. */
  pumpFailed(fault: Fault): void {
    this.failed(fault);
  }

  /** The client has its whole answer. */
  #complete(): ExchangeEnd | undefined {
    this.#response = "complete";
    if (this.#upload.state === "done") return this.#over();
    this.#finishUpload().then((end) => this.#tell(end));
    return undefined;
  }

  #over(): ExchangeEnd {
    const { state, fault } = this.#upload;
    this.#originReusable = state === "done" && this.#options.origin.isReusable(this.#head!);
    if (state === "failed") return { how: "finished", fault };
    return this.#persistent ? REUSABLE : FINISHED;
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
    const { state } = this.#upload;
    if (state === "done" || state === "taken") return true;
    const { client, origin } = this.#options;
    return state !== "failed" && !origin.closes(head) && !client.request.head.fields.has("expect");
  }
}

const REUSABLE: ExchangeEnd = { how: "reusable" };
const FINISHED: ExchangeEnd = { how: "finished" };

function cutHead({ isProxy, hasBegun }: OriginSide): Fault {
  const who = isProxy ? "The next proxy" : "The target";
  if (hasBegun) {
    return new Fault("http_response_incomplete", `${who} closed the connection within the response's head`);
  }
  return new Fault("connection_terminated", `${who} closed the connection without a response`);
}
