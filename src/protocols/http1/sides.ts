/**
 * The sides of an exchange over HTTP/1.1. Each reads and writes one message at a time, on a connection of its own.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Waiter, Watcher } from "../../streams/byte_reader.ts";
import type { Channel } from "../../streams/channel.ts";
import type { Fields } from "../http/fields.ts";
import type { Framing, HttpRequest, ResponseHead } from "../http/message.ts";
import type {
  AnswerHeadOptions,
  BodyEvent,
  BodySink,
  BodySource,
  ClientSide,
  OriginSide,
} from "../http/sides.ts";
import { type BodyReader, bodyReader, type BodyWriter, bodyWriter } from "./body.ts";
import { type KnownProxy, refusesUs, unknownToProxy } from "./connector.ts";
import { forwardedRequest, forwardedResponse } from "./forwarding.ts";
import { responseFraming } from "./framing.ts";
import { asProtocolError, ResponseHeadReader } from "./head.ts";
import { CLOSE } from "./request.ts";

/** The options of both sides. */
export interface SideOptions {
  readonly channel: Channel;
  readonly request: HttpRequest;
  /** The settings in force for this exchange. */
  readonly settings: Settings;
}

/** Reads one message and writes one, on a connection. */
abstract class Side<Options extends SideOptions> implements BodySource, BodySink {
  protected readonly options: Options;
  /** Reads the incoming body. */
  protected reader: BodyReader | undefined;
  /** Frames the outgoing body. */
  protected writer: BodyWriter | undefined;

  constructor(options: Options) {
    this.options = options;
  }

  read(): BodyEvent | undefined {
    return this.reader!.read(this.options.channel.reader.buffer);
  }

  fill(): Promise<boolean> {
    return this.options.channel.reader.fill();
  }

  wait(waiter: Waiter): void {
    this.options.channel.reader.wait(waiter);
  }

  get endsAtClose(): boolean {
    return this.reader!.endsAtClose;
  }

  data(bytes: Uint8Array): void {
    const { writer } = this.options.channel;
    for (const piece of this.writer!.data(bytes)) writer.put(piece);
  }

  end(trailers: Fields): void {
    this.options.channel.writer.put(this.writer!.end(trailers));
  }

  flush(): Promise<void> | undefined {
    return this.options.channel.writer.flush();
  }

  cut(fault: Fault): void {
    this.options.channel.cut(fault);
  }
}

/** The options of the client's side. */
export interface Http1ClientOptions extends SideOptions {
  readonly date: () => Date;
}

/** See `ClientSide`. */
export class Http1Client extends Side<Http1ClientOptions> implements ClientSide {
  /** Takes the channel over after the request's head was read from it. */
  constructor(options: Http1ClientOptions) {
    super(options);
    const { framing } = options.request;
    if (framing.kind === "none") return;
    this.reader = bodyReader(framing, { maxTrailerSize: options.settings.limits.headerSize, mend: false });
  }

  get request(): HttpRequest {
    return this.options.request;
  }

  get address(): Address {
    return this.options.channel.remote;
  }

  /**
   * If a body ends at the close, only chunks tell a whole one from a cut one, and an HTTP/1.0 client knows no chunks.
   */
  delimits({ kind }: Framing): boolean {
    return kind === "none" || kind === "length" || this.options.request.head.version !== "1.0";
  }

  get hasMore(): boolean {
    return this.options.channel.reader.buffer.length > 0;
  }

  inform(head: ResponseHead): void {
    const { channel, settings: { name }, date } = this.options;
    channel.writer.put(
      forwardedResponse(head, { framing: { kind: "none" }, persistent: true, name, date }),
    );
  }

  answer(head: ResponseHead, { framing, persistent, sessionBased }: AnswerHeadOptions): void {
    const { channel, settings: { name }, date } = this.options;
    const down = this.#framed(framing);
    channel.writer.put(forwardedResponse(head, { framing: down, persistent, name, date, sessionBased }));
    this.writer = bodyWriter(down, { head: head.fields, forwarded: "keep" });
  }

  #framed(framing: Framing): Framing {
    if (framing.kind === "none" || framing.kind === "length") return framing;
    return { kind: this.delimits(framing) ? "chunked" : "close" };
  }

  withdraw(): void {
    this.options.channel.writer.withdraw();
  }

  finish(): Promise<void> {
    return this.options.channel.writer.close();
  }

  watch(watcher: Watcher): void {
    const { reader } = this.options.channel;
    if (reader.buffer.length === 0 && !reader.ended) reader.watch(watcher);
  }

  interrupt(fault: Fault): void {
    this.options.channel.reader.interrupt(fault);
  }
}

/** The options of the origin's side. */
export interface Http1OriginOptions extends SideOptions {
  /** Set if another proxy is at the origin's end; with the credentials for it. */
  readonly proxy?: KnownProxy;
}

/** See `OriginSide`. Its faults blame the origin. */
export class Http1Origin extends Side<Http1OriginOptions> implements OriginSide {
  #head: ResponseHeadReader;

  /** Takes the channel over before anything of this exchange was sent on it. */
  constructor(options: Http1OriginOptions) {
    super(options);
    this.#head = new ResponseHeadReader(options.settings.limits.headerSize);
  }

  get isProxy(): boolean {
    return this.options.proxy !== undefined;
  }

  send(request: HttpRequest, client: Address): void {
    const { channel, settings: { name, forwarded: mode }, proxy } = this.options;
    channel.writer.put(
      forwardedRequest(request, { name, persistent: true, forwarded: { mode, client }, proxy }),
    );
    this.writer = bodyWriter(request.framing, { head: request.head.fields, forwarded: mode });
  }

  head(): ResponseHead | undefined {
    const { channel, settings: { limits }, proxy } = this.options;
    const head = this.#read(channel);
    if (!head) return undefined;
    // The challenge is for us: the client's own credentials are for this proxy (RFC 9110 section 11.7.1).
    if (proxy && refusesUs(head, proxy)) throw unknownToProxy(head, proxy);
    if (head.status < 200 && head.status !== 101) this.#head = new ResponseHeadReader(limits.headerSize);
    return head;
  }

  #read(channel: Channel): ResponseHead | undefined {
    try {
      return this.#head.read(channel.reader.buffer);
    } catch (error) {
      throw asProtocolError(error);
    }
  }

  get hasBegun(): boolean {
    return this.#head.started || this.options.channel.reader.buffer.length > 0;
  }

  beginBody(head: ResponseHead): Framing {
    const framing = responseFraming(head, this.options.request.head.method);
    this.reader = bodyReader(framing, {
      maxTrailerSize: this.options.settings.limits.headerSize,
      mend: true,
    });
    return framing;
  }

  override read(): BodyEvent | undefined {
    try {
      return super.read();
    } catch (error) {
      throw asProtocolError(error);
    }
  }

  closes({ version, fields }: ResponseHead): boolean {
    return version === "1.0" || (fields.listed("connection") & CLOSE) !== 0;
  }

  /** Nobody asked for bytes that wait behind an answer, so they must not become the next answer. */
  isReusable(head: ResponseHead): boolean {
    return !this.closes(head) && !this.reader!.endsAtClose && this.options.channel.reader.buffer.length === 0;
  }
}
