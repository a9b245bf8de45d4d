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
import type { OwnAnswer } from "../http/own_answer.ts";
import type {
  AnswerHeadOptions,
  BodyEvent,
  BodySink,
  BodySource,
  ClientSide,
  OriginSide,
} from "../http/sides.ts";
import { encodeAnswer, encodeHead } from "./answer.ts";
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
abstract class Side implements BodySource, BodySink {
  protected readonly channel: Channel;
  protected readonly settings: Settings;
  readonly request: HttpRequest;
  /** Reads the incoming body. */
  protected reader: BodyReader | undefined;
  /** Frames the outgoing body. */
  protected writer: BodyWriter | undefined;

  constructor({ channel, request, settings }: SideOptions) {
    this.channel = channel;
    this.request = request;
    this.settings = settings;
  }

  read(): BodyEvent | undefined {
    return this.reader!.read(this.channel.reader.buffer);
  }

  fill(): Promise<boolean> {
    return this.channel.reader.fill();
  }

  wait(waiter: Waiter): void {
    this.channel.reader.wait(waiter);
  }

  get endsAtClose(): boolean {
    return this.reader!.endsAtClose;
  }

  data(bytes: Uint8Array): void {
    const { writer } = this.channel;
    for (const piece of this.writer!.data(bytes)) writer.put(piece);
  }

  end(trailers: Fields): void {
    this.channel.writer.put(this.writer!.end(trailers));
  }

  flush(): Promise<void> | undefined {
    return this.channel.writer.flush();
  }

  cut(fault: Fault): void {
    this.channel.cut(fault);
  }
}

/** The options of the client's side. */
export interface Http1ClientOptions extends SideOptions {
  readonly date: () => Date;
}

/** See `ClientSide`. */
export class Http1Client extends Side implements ClientSide {
  readonly #date: () => Date;

  /** Takes the channel over after the request's head was read from it. */
  constructor(options: Http1ClientOptions) {
    super(options);
    const { request: { framing }, settings } = options;
    this.#date = options.date;
    if (framing.kind === "none") return;
    this.reader = bodyReader(framing, { maxTrailerSize: settings.limits.headerSize, mend: false });
  }

  get address(): Address {
    return this.channel.remote;
  }

  /**
   * If a body ends at the close, only chunks tell a whole one from a cut one, and an HTTP/1.0 client knows no chunks.
   */
  delimits({ kind }: Framing): boolean {
    return kind === "none" || kind === "length" || this.request.head.version !== "1.0";
  }

  get hasMore(): boolean {
    return this.channel.reader.buffer.length > 0;
  }

  inform(head: ResponseHead): void {
    const { channel, settings: { name } } = this;
    channel.writer.put(
      forwardedResponse(head, { framing: { kind: "none" }, persistent: true, name, date: this.#date }),
    );
  }

  answer(head: ResponseHead, { framing, persistent, sessionBased }: AnswerHeadOptions): void {
    const { channel, settings: { name } } = this;
    const down = this.#framed(framing);
    channel.writer.put(
      forwardedResponse(head, { framing: down, persistent, name, date: this.#date, sessionBased }),
    );
    this.writer = bodyWriter(down, { head: head.fields, forwarded: "keep" });
  }

  #framed(framing: Framing): Framing {
    if (framing.kind === "none" || framing.kind === "length") return framing;
    return { kind: this.delimits(framing) ? "chunked" : "close" };
  }

  answerOwn(answer: OwnAnswer, persistent: boolean): void {
    const { channel, request: { head } } = this;
    const { body } = answer;
    const options = { date: this.#date(), persistent, bodyless: head.method === "HEAD" };
    if (body instanceof Uint8Array) return channel.writer.put(encodeAnswer({ ...answer, body }, options));
    const down = this.#framed({ kind: "close" });
    const framing = down.kind === "chunked" ? [["Transfer-Encoding", "chunked"] as const] : [];
    channel.writer.put(encodeHead(answer, options, framing));
    this.writer = bodyWriter(down, { head: head.fields, forwarded: "keep" });
  }

  withdraw(): void {
    this.channel.writer.withdraw();
  }

  finish(): Promise<void> | undefined {
    return this.channel.writer.close();
  }

  watch(watcher: Watcher): void {
    const { reader } = this.channel;
    if (reader.buffer.length === 0 && !reader.ended) reader.watch(watcher);
  }

  unwatch(): void {
    this.channel.reader.unwatch();
  }

  interrupt(fault: Fault): void {
    this.channel.reader.interrupt(fault);
  }
}

/** The options of the origin's side. */
export interface Http1OriginOptions extends SideOptions {
  /** Set if another proxy is at the origin's end; with the credentials for it. */
  readonly proxy?: KnownProxy;
}

/** See `OriginSide`. Its faults blame the origin. */
export class Http1Origin extends Side implements OriginSide {
  readonly #proxy: KnownProxy | undefined;
  /** Reads the head that comes next. */
  #head: ResponseHeadReader | undefined;

  /** Takes the channel over before anything of this exchange was sent on it. */
  constructor(options: Http1OriginOptions) {
    super(options);
    this.#proxy = options.proxy;
  }

  get isProxy(): boolean {
    return this.#proxy !== undefined;
  }

  send(request: HttpRequest, client: Address): void {
    const { channel, settings: { name, forwarded: mode } } = this;
    channel.writer.put(
      forwardedRequest(request, { name, persistent: true, forwarded: { mode, client }, proxy: this.#proxy }),
    );
    this.writer = bodyWriter(request.framing, { head: request.head.fields, forwarded: mode });
  }

  head(): ResponseHead | undefined {
    const proxy = this.#proxy;
    const head = this.#read();
    if (!head) return undefined;
    // The challenge is for us: the client's own credentials are for this proxy (RFC 9110 section 11.7.1).
    if (proxy && refusesUs(head, proxy)) throw unknownToProxy(head, proxy);
    if (head.status < 200 && head.status !== 101) this.#head = undefined;
    return head;
  }

  #read(): ResponseHead | undefined {
    const { buffer } = this.channel.reader;
    if (buffer.length === 0 && !this.#head) return undefined;
    try {
      return (this.#head ??= new ResponseHeadReader(this.settings.limits.headerSize)).read(buffer);
    } catch (error) {
      throw asProtocolError(error);
    }
  }

  get hasBegun(): boolean {
    return this.#head?.started === true || this.channel.reader.buffer.length > 0;
  }

  beginBody(head: ResponseHead): Framing {
    const framing = responseFraming(head, this.request.head.method);
    this.reader = bodyReader(framing, {
      maxTrailerSize: this.settings.limits.headerSize,
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
    return !this.closes(head) && !this.reader!.endsAtClose && this.channel.reader.buffer.length === 0;
  }
}
