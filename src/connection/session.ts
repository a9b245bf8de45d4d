/**
 * What the steps of one connection work with: the client's channel, the deadline that runs, the records made.
 *
 * @module
 */

import { Association } from "../traffic/association.ts";
import { Channel } from "../streams/channel.ts";
import { channelStream } from "../streams/channel_stream.ts";
import { judge, questionOf } from "../dialing/dialing.ts";
import type { Entrance } from "../listeners/entrance.ts";
import type { Timed } from "../runtime/deadlines.ts";
import type { ExchangeObserver } from "../traffic/exchange.ts";
import { Fault, type FaultCode, type Party } from "../faults.ts";
import type { AccessRecord, Ending } from "../observe/record.ts";
import { Recording } from "../observe/recording.ts";
import type { Entry } from "../policy/admission.ts";
import { refuseDenied } from "../policy/rules.ts";
import type { AssociationRequest, Handshake, ProxyRequest } from "../protocols/common/handshake.ts";
import type { Protocol } from "../protocols/client_protocols.ts";
import { formatAuthority } from "../addresses/host.ts";
import type { RelayObserver } from "../traffic/relay.ts";
import type { Address, ByteStream, TcpAddress, TlsServerOptions } from "../runtime/contract.ts";
import type { Services } from "./services.ts";
import type { Deadline } from "../states.ts";
import { type DeadlineOfSilence, isOfSilence, nextLook, stalled } from "./silence.ts";
import { Terms } from "./terms.ts";

/** So much of a name that was tried stands in the record, in UTF-16 code units. */
const MAX_TRIED_NAME = 64;

/** What a session starts from. */
export interface SessionOptions {
  /** Unique among the proxy's connections; in every log line of this one. */
  readonly id: string;
  readonly stream: ByteStream;
  readonly services: Services;
  /** What the listener is told of its clients. */
  readonly entrance: Entrance;
  /** Counts it among all connections and among those of its client. */
  readonly entry: Entry;
  /** Called when it is over. */
  readonly onEnd: () => void;
}

/** What is known when a record begins. */
interface RecordStart {
  /** Who was let in. */
  readonly user?: string;
  /** Who wanted to be. */
  readonly triedUser?: string;
  /** What a client wanted that did not get as far as a request. */
  readonly asked?: Handshake["asked"];
  readonly request?: ProxyRequest;
}

/** What can be broken off. */
export interface Cuttable {
  /** The other end of what passes through, where there is one. */
  readonly far?: Channel;
  /** Who is at that end; the target where undefined. */
  readonly party?: Party;
  /** Makes whoever waits for it reject with the fault. */
  cut(fault: Fault): void;
}

/** Counts what moves for a record, and keeps the idle deadline away meanwhile. */
export class Traffic implements RelayObserver, ExchangeObserver {
  readonly #session: Session;
  readonly #recording: Recording;

  /** Counts from now on. */
  constructor(session: Session, recording: Recording) {
    this.#session = session;
    this.#recording = recording;
  }

  /** Bytes went to the target. */
  sent(count: number): void {
    this.#recording.sent += count;
    this.#session.touch();
  }

  /** Bytes came from the target. */
  received(count: number): void {
    this.#recording.firstByte();
    this.#recording.received += count;
    this.#session.touch();
  }

  /** The target has answered a request. */
  answered(status: number): void {
    this.#recording.firstByte();
    this.#recording.status = status;
    this.#session.touch();
  }

  /** One side has ended: the other has a deadline of its own. */
  halfClosed(): void {
    this.#session.setDeadline("halfClosed");
  }
}

/** One client's connection as its steps see it. */
export class Session implements Timed {
  readonly id: string;
  client: Channel;
  /** Who asks; undefined where nobody was asked for a password. */
  user: string | undefined;
  readonly services: Services;
  readonly entrance: Entrance;
  /** What its handshakes are held to. */
  readonly terms: Terms;
  /** Whether one of its requests was let through: by users, rules and limits. A stranger may not idle as long. */
  known = false;
  readonly #entry: Entry;
  readonly #onEnd: () => void;
  /** See `Timed`. */
  expiresAt = Infinity;
  /**
   * What has to be cut so that whatever the current step waits for rejects; the client's connection where undefined.
   * An object for each request, not a function: a closure in this place has V8 take a quarter of all that requests leave
   * for alive until it looks at everything, and copy it meanwhile.
   */
  cuttable: Cuttable | undefined;
  /** Whether an origin has let in a connection for this client: its requests go over that, whatever their method. */
  bound = false;
  #deadline: Deadline = "none";
  #late: FaultCode = "client_timeout";
  /** When something has moved for the last time, as far as is known; counts where silence ends the step. */
  #movedAt = 0;
  /** What waited to be sent at the last look. */
  #unsent = 0;
  #waiting = false;
  #draining = false;
  #association: Association | undefined;
  #release: (() => void) | undefined;

  /** Takes the stream over. */
  constructor({ id, stream, services, entrance, entry, onEnd }: SessionOptions) {
    this.id = id;
    this.client = new Channel(stream, "client");
    this.services = services;
    this.entrance = entrance;
    this.terms = new Terms(this);
    this.#entry = entry;
    this.#onEnd = onEnd;
  }

  /** Where it begins. */
  get firstState(): "introducing" | "securing" | "detecting" {
    return this.entrance.trusts ? "introducing" : this.entrance.tls ? "securing" : "detecting";
  }

  /** The client's address as logs and callbacks have it. */
  get clientName(): string {
    const { remote } = this.client;
    return "host" in remote ? formatAuthority(remote) : "unix:";
  }

  /** A load balancer has said whose connection it is, and where that led to. */
  introduce(ends: { readonly source: Address; readonly destination: Address }): void {
    this.client.introduce(ends);
    this.#entry.claim(ends.source);
  }

  /**
   * Why none of its requests is served: it is one connection too many, or comes from where nobody is served. A promise
   * while that is being found out.
   */
  get refusal(): Fault | undefined | Promise<Fault | undefined> {
    const { refusal } = this.#entry;
    return refusal ?? this.services.refuseClient(this.client.remote);
  }

  /** Answers the client's TLS handshake; what it says inside is the client's channel from then on. */
  async secure(tls: Omit<TlsServerOptions, "signal">): Promise<void> {
    const controller = new AbortController();
    this.cuttable = { cut: (fault) => controller.abort(fault) };
    const stream = await this.services.runtime.acceptTls!(channelStream(this.client), {
      ...tls,
      signal: controller.signal,
    });
    this.client = new Channel(stream, "client");
  }

  /** Whether the client may send another request on this connection. */
  get keepAlive(): boolean {
    return !this.#draining;
  }

  /** Begins a step: `deadline` runs, unless it does so already, and `late` is the fault when it has passed. */
  enter(deadline: Deadline, late: FaultCode): void {
    this.cuttable = undefined;
    this.#waiting = false;
    this.#late = late;
    if (deadline !== "header" || this.#deadline !== "header") this.setDeadline(deadline);
  }

  /** Starts a deadline in place of the one that runs. */
  setDeadline(deadline: Deadline): void {
    const before = this.expiresAt;
    this.#deadline = deadline;
    this.#waiting = false;
    this.expiresAt = this.#endOf(deadline);
    if (this.expiresAt < before) this.services.deadlines.watch(this);
  }

  /**
   * The client owes nothing and is owed nothing: it may be let go when the proxy drains. The deadline that runs goes on
   * where no other is given.
   */
  waitForRequest(deadline?: "header" | "idle"): void {
    if (deadline) this.setDeadline(deadline);
    this.#waiting = true;
  }

  /** When a deadline that starts now has passed, or is looked at first. */
  #endOf(deadline: Deadline): number {
    if (deadline === "none") return Infinity;
    const { clock, timeouts } = this.services;
    const now = clock.now();
    if (!isOfSilence(deadline)) return now + timeouts[deadline];
    this.#movedAt = now;
    this.#unsent = 0;
    return nextLook(now, Math.min(timeouts[deadline], timeouts.stalled));
  }

  /** See `Timed`: the deadline has passed, or it is time for a look at what moves. */
  expire(): void {
    const fault = isOfSilence(this.#deadline) ? this.#look(this.#deadline) : new Fault(this.#late);
    if (!fault) return;
    this.expiresAt = Infinity;
    this.cut(fault);
  }

  /** Undefined where the silence may go on. Looked at now and then, so that what moves costs one assignment. */
  #look(deadline: DeadlineOfSilence): Fault | undefined {
    const { clock, timeouts } = this.services;
    const now = clock.now();
    const toClient = this.client.writer.unsent;
    const unsent = toClient + (this.cuttable?.far?.writer.unsent ?? 0);
    // A part of a write is progress too. It came at some time since the last look; now is the latest.
    if (unsent !== this.#unsent) this.#movedAt = now;
    this.#unsent = unsent;
    const patience = Math.min(timeouts[deadline], timeouts.stalled);
    const allowed = unsent > 0 ? patience : timeouts[deadline];
    const end = this.#movedAt + allowed;
    if (end > now) this.expiresAt = Math.min(end, nextLook(now, patience));
    else if (unsent === 0) return new Fault(this.#late);
    else return stalled(toClient > 0 ? "client" : this.cuttable?.party ?? "target", allowed);
  }

  /** Breaks off what the current step waits for. */
  cut(fault: Fault): void {
    if (this.cuttable) this.cuttable.cut(fault);
    else if (this.client.reader.waiting) this.client.reader.interrupt(fault);
    else this.client.cut(fault);
  }

  /** Finishes what was begun and takes no further request. */
  drain(): void {
    this.#draining = true;
    if (this.#waiting) this.cut(new Fault("proxy_shutdown"));
  }

  /** Waits for more of what the client says, as `fill()` of its reader; a cut ends the wait and not the connection. */
  fill(): Promise<boolean> {
    if (this.#waiting && this.#draining) return Promise.reject(new Fault("proxy_shutdown"));
    return this.client.reader.fill();
  }

  /** Waits for a promise that nothing else can cut. What it settles with after a cut is nobody's any more. */
  async interruptible<T>(promise: Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.cuttable = { cut: reject };
        promise.then(resolve, reject);
      });
    } finally {
      this.cuttable = undefined;
    }
  }

  /** Begins the record of a request, or of what was meant to be one. */
  record(
    protocol: Protocol | undefined,
    { user, triedUser, asked, request }: RecordStart,
  ): Recording {
    const recording = new Recording({
      id: this.id,
      client: this.clientName,
      protocol,
      clock: this.services.clock,
    });
    this.user = recording.user = user;
    if (triedUser) recording.triedUser = triedUser.slice(0, MAX_TRIED_NAME);
    if (request?.kind === "tunnel" || request?.kind === "association") {
      recording.method = request.kind === "tunnel" ? "CONNECT" : "UDP";
      recording.target = formatAuthority(request.target);
    } else if (asked) {
      recording.method = asked.method;
      recording.target = asked.target;
    } else if (request) {
      recording.method = request.http.head.method;
      recording.target = request.http.head.target;
    }
    return recording;
  }

  /** Something moves: the idle deadline begins anew. */
  touch(): void {
    this.#movedAt = this.services.clock.now();
  }

  /** Hands a finished record out. A callback that throws costs nobody else anything. */
  finish(recording: Recording, ending: Ending): void {
    const { onRecord, onPage } = this.services;
    const tell = recording.ownPage ? onPage : onRecord;
    if (!tell) return;
    const record: AccessRecord = recording.end(ending);
    try {
      tell(record);
    } catch (error) {
      this.services.log.error("The callback onRecord failed", error);
    }
  }

  /** Opens an association, and settles with it and the address that takes its datagrams. It ends with the session. */
  async associate(
    { target: hint }: AssociationRequest,
    recording: Recording,
  ): Promise<{ association: Association; bound: TcpAddress }> {
    const { runtime, resolver, clock, log, ownAddresses, privateDestinations } = this.services;
    const { local, remote } = this.client;
    // Behind a load balancer neither address is one of this machine's connections with the client.
    if (!("host" in local && "host" in remote) || this.entrance.trusts) {
      throw new Fault("http_request_denied", "Datagrams are for clients that connect by TCP themselves", {
        socks5: 7,
      });
    }
    this.#release = this.services.claimAssociation();
    const traffic = new Traffic(this, recording);
    const question = (target: TcpAddress) => questionOf(this, "udp", { user: recording.user, target });
    const datagrams = recording.datagrams = {
      targets: 0,
      sent: 0,
      received: 0,
      dropped: () => association.dropped,
    };
    const association = this.#association = new Association({
      runtime,
      clock,
      hint,
      local: local.host,
      client: remote.host,
      resolve: (host, signal) => resolver.resolve(host, signal),
      authorize: (target) => {
        const asked = question(target);
        refuseDenied(this.services.rules().decide(asked));
        if ((this.services.rules().road(asked) ?? "direct") !== "direct") {
          throw new Fault("http_request_denied", "Datagrams do not go through an upstream");
        }
      },
      // The other end of a datagram is not known to be this machine, but where the client found us is.
      judge: (address, target) => judge(this.services, question(target), address, { local, remote: address }),
      admit: privateDestinations === "deny" ? (address) => ownAddresses.refuseBindable(address) : undefined,
      observer: {
        addressed: (target) => {
          if (datagrams.targets++ === 0) recording.target = formatAuthority(target);
        },
        sent: (count, to) => {
          recording.dialed ??= formatAuthority(to);
          datagrams.sent++;
          traffic.sent(count);
        },
        received: (count) => {
          datagrams.received++;
          traffic.received(count);
        },
        refused: (target, fault) => {
          recording.fault ??= fault;
          log.debug(`${this.id}: Dropping datagrams to ${formatAuthority(target)}: ${fault.message}`);
        },
      },
    });
    try {
      return { association, bound: await this.interruptible(association.open()) };
    } catch (error) {
      association.close();
      throw error;
    }
  }

  /** Ends the watch over the deadline, and an association. */
  end(): void {
    this.#association?.close();
    this.#release?.();
    this.services.pool.release(this);
    this.services.deadlines.forget(this);
    this.#onEnd();
  }
}
