/**
 * Asks a running proxy, over its admin listener or its own port.
 *
 * @module
 */

import { formatAddress } from "../../addresses/host.ts";
import { dialDirect } from "../../dialing/direct.ts";
import { Resolver } from "../../dialing/resolver.ts";
import { Fault } from "../../faults.ts";
import { Fields } from "../../protocols/http/fields.ts";
import { bodyReader } from "../../protocols/http1/body.ts";
import { responseFraming } from "../../protocols/http1/framing.ts";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";
import type { Runtime } from "../../runtime/contract.ts";
import { DEFAULT_LIMITS } from "../../settings/limits.ts";
import { Channel } from "../../streams/channel.ts";
import { channelStream } from "../../streams/channel_stream.ts";
import { type HttpUrl, parseHttpUrl, requestHead } from "../check/request.ts";
import { readBodyEvent, readFinalHead } from "../check/response.ts";

/** An answer of the proxy. */
export interface AdminAnswer {
  readonly status: number;
  /** Its media type. */
  readonly type: string;
  /** The text, as it comes. */
  readonly text: AsyncIterable<string>;
}

/** How long to wait for a connection, and then for an answer, in milliseconds. */
const PATIENCE = 10_000;

const LATE = new Fault("http_response_timeout", "There is no answer");
const OVER = new Fault("client_disconnected", "The answer is not wanted any more");

/** A proxy that can be asked. */
export class Admin {
  /** How messages name it. */
  readonly name: string;
  readonly #url: HttpUrl;
  readonly #path: string | undefined;
  readonly #runtime: Runtime;

  /**
   * `place` is a URL, `HOST:PORT` or `unix:PATH`.
   *
   * @throws {UsageError} If it is something else.
   */
  constructor(place: string, runtime: Runtime) {
    this.#path = place.startsWith("unix:") ? place.slice("unix:".length) : undefined;
    this.#url = parseHttpUrl(
      this.#path !== undefined
        ? "http://localhost/"
        : /^[a-z]+:\/\//i.test(place)
        ? place
        : `http://${place}/`,
    );
    this.#runtime = runtime;
    this.name = this.#path === undefined ? formatAddress(this.#url.address) : place;
  }

  /** Asks for a page, or for something to be done. */
  async ask(method: string, path: string, token?: string): Promise<AdminAnswer> {
    const channel = await this.#connect();
    const cancel = SYSTEM_CLOCK.schedule(PATIENCE, () => channel.cut(LATE));
    try {
      const fields = new Fields(
        token === undefined ? [] : [{ name: "Authorization", value: `Bearer ${token}` }],
      );
      await channel.writer.write(requestHead({ url: { ...this.#url, path }, method, fields }));
      const limit = DEFAULT_LIMITS.headerSize;
      const head = await readFinalHead(channel.reader, { limit, onBytes() {}, onHead() {} });
      const body = bodyReader(responseFraming(head, method), { maxTrailerSize: limit, mend: true });
      const type = head.fields.get("content-type") ?? "";
      return { status: head.status, type, text: read(channel, body) };
    } catch (error) {
      channel.cut(OVER);
      throw error;
    } finally {
      cancel();
    }
  }

  async #connect(): Promise<Channel> {
    const signal = AbortSignal.timeout(PATIENCE);
    const runtime = this.#runtime;
    if (this.#path !== undefined) {
      return new Channel(await runtime.dial({ path: this.#path }, { signal }), "target");
    }
    const { secure, address } = this.#url;
    const resolver = new Resolver({ runtime, clock: SYSTEM_CLOCK, timeout: PATIENCE });
    const { channel } = await dialDirect(address, {
      runtime,
      resolver,
      signal,
      clock: SYSTEM_CLOCK,
      judge() {},
    });
    if (!secure) return channel;
    const stream = await runtime.connectTls({ ...channelStream(channel), remote: address }, {
      serverName: address.host,
      signal,
    });
    return new Channel(stream, "target");
  }
}

/** The text of a body, until it ends or is not wanted any more. */
async function* read(channel: Channel, body: ReturnType<typeof bodyReader>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  try {
    while (true) {
      const event = readBodyEvent(body, channel.reader.buffer);
      if (event?.type === "end") return;
      if (event) yield decoder.decode(event.bytes, { stream: true });
      else if (!await channel.reader.fill()) return;
    }
  } finally {
    channel.cut(OVER);
  }
}

/** An event that a server has sent. */
export interface ServerEvent {
  readonly type: string;
  readonly data: string;
}

/** Reads server-sent events (HTML section 9.2.6), as our own proxy writes them: one line of data each. */
export async function* eventsIn(text: AsyncIterable<string>): AsyncIterable<ServerEvent> {
  let rest = "";
  for await (const piece of text) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      const [, type, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      if (type !== undefined) yield { type, data };
    }
  }
}
