/**
 * One client's connection as its steps see it: the channel, who the client is, and the watch over deadlines.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import type { Fault } from "../faults.ts";
import type { ListenerSettings, Role } from "../listeners/listener_settings.ts";
import type { Recording } from "../observe/record.ts";
import type { Entry } from "../policy/admission.ts";
import type { Held } from "../limits/held.ts";
import type { Proof } from "../policy/proof.ts";
import type { RuleRequest } from "../policy/rule_request.ts";
import type { HandshakeOptions } from "../protocols/common/handshake.ts";
import type { HttpRequest } from "../protocols/http/message.ts";
import type { ClientSide } from "../protocols/http/sides.ts";
import { Http1Client } from "../protocols/http1/sides.ts";
import { RequesterHandshakeOptions } from "../request/handshake_options.ts";
import type { Requester } from "../request/requester.ts";
import type { Address, ByteStream, TlsServerOptions } from "../runtime/contract.ts";
import type { ConnectionState } from "../states.ts";
import { Channel } from "../streams/channel.ts";
import { channelStream } from "../streams/channel_stream.ts";
import { Watch } from "../traffic/watch.ts";
import type { Services } from "./services.ts";

/** What a connection starts from. */
export interface ConnectionOptions {
  /** Unique among the proxy's connections, and part of each log line about this one. */
  readonly id: string;
  readonly stream: ByteStream;
  readonly services: Services;
  /** The settings of the listener that accepted it. */
  readonly listener: ListenerSettings;
  /** Counts the connection, in total and for its client. */
  readonly entry: Entry;
  /** Called when the connection is over. */
  readonly onEnd: () => void;
}

/** One connection. Where requests come one after another, it is also their requester. */
export class Connection extends Watch implements Requester {
  readonly id: string;
  readonly services: Services;
  readonly listener: ListenerSettings;
  readonly handshakeOptions: HandshakeOptions;
  client: Channel;
  /** See `Requester`. */
  user: string | undefined;
  /** See `Requester`. */
  recording: Recording | undefined;
  /** See `Requester`. */
  question: RuleRequest | undefined;
  /** When the client connected, by the clock. */
  readonly since: number;
  /** See `Requester`. */
  proof: Proof | undefined;
  held: Held | undefined;
  /** See `Requester`. */
  known = false;
  /** See `Requester`. */
  cleanUp: (() => void) | undefined;
  readonly #entry: Entry;
  readonly #onEnd: () => void;
  #clientName: string | undefined;

  /** Takes the stream over. */
  constructor({ id, stream, services, listener, entry, onEnd }: ConnectionOptions) {
    super();
    this.id = id;
    this.client = new Channel(stream, "client");
    this.services = services;
    this.since = services.clock.now();
    this.listener = listener;
    this.handshakeOptions = new RequesterHandshakeOptions(this);
    this.#entry = entry;
    this.#onEnd = onEnd;
  }

  /** The state in which it begins. */
  get firstState(): ConnectionState {
    return this.listener.trusts ? "introducing" : this.listener.tls ? "securing" : "detecting";
  }

  /** See `Requester`. */
  get clientName(): string {
    const { remote } = this.client;
    return this.#clientName ??= "host" in remote ? formatAuthority(remote) : "unix:";
  }

  /** See `Requester`. */
  get role(): Role {
    return this.listener.role;
  }

  /** See `Requester`. */
  get passedOn(): boolean {
    return this.listener.trusts !== undefined;
  }

  /** See `Requester`. */
  get refusal(): Fault | undefined | Promise<Fault | undefined> {
    const { refusal } = this.#entry;
    return refusal ?? this.services.refuseClient(this.client.remote);
  }

  /** See `Requester`. */
  clientSide(request: HttpRequest): ClientSide {
    const { services: { settings, date }, client: channel } = this;
    return new Http1Client({ channel, request, settings, date });
  }

  /** See `Requester`. */
  reply(bytes: Uint8Array): Promise<void> | undefined {
    const { writer } = this.client;
    writer.put(bytes);
    return writer.flush();
  }

  /** Takes the addresses that a load balancer has told: the client's own, and the one that the client connected to. */
  introduce(ends: { readonly source: Address; readonly destination: Address }): void {
    this.client.introduce(ends);
    this.#clientName = undefined;
    this.#entry.claim(ends.source);
  }

  /** The connection is over: stops its deadlines, and closes what was kept for it. */
  end(): void {
    this.cleanUp?.();
    this.services.pool.release(this);
    this.unwatch();
    this.client.reader.free();
    this.#onEnd();
  }

  /** Answers the client's TLS handshake. From then on, `client` is the channel inside TLS. */
  async secure(tls: Omit<TlsServerOptions, "signal">): Promise<void> {
    const controller = new AbortController();
    this.cuttable = { cut: (fault) => controller.abort(fault) };
    const stream = await this.services.runtime.acceptTls!(channelStream(this.client), {
      ...tls,
      signal: controller.signal,
    });
    this.client = new Channel(stream, "client");
  }
}
