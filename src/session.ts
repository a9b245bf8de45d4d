/**
 * What the steps of one connection work with: the client's channel, the deadline that runs, the records made.
 *
 * @module
 */

import { Channel } from "./channel.ts";
import type { Timed } from "./deadlines.ts";
import { Fault, type FaultCode } from "./faults.ts";
import type { AccessRecord, Ending } from "./observe/record.ts";
import { Recording } from "./observe/recording.ts";
import { refuseSpecialPurpose } from "./policy/destination_guard.ts";
import { refuseOwnListeners } from "./policy/own_listeners.ts";
import type { Protocol, ProxyRequest } from "./protocols/handshake.ts";
import { formatAuthority } from "./protocols/host.ts";
import type { ByteStream, TcpAddress } from "./runtime.ts";
import type { Services } from "./services.ts";
import type { Deadline } from "./states.ts";
import { dialDirect } from "./upstreams/direct.ts";

/** What a session starts from. */
export interface SessionOptions {
  /** Unique among the proxy's connections; in every log line of this one. */
  readonly id: string;
  readonly stream: ByteStream;
  readonly services: Services;
  /** The protocols that the listener detects; all when undefined. */
  readonly accepts?: readonly Protocol[];
  /** Why its requests are not served: it is one connection too many. */
  readonly surplus?: Fault;
}

/** Bytes that move, told to the record and to the idle deadline. */
export interface TrafficObserver {
  sent(count: number): void;
  received(count: number): void;
  answered(status: number): void;
}

/** One client's connection as its steps see it. */
export class Session implements Timed {
  readonly id: string;
  readonly client: Channel;
  readonly services: Services;
  readonly accepts: readonly Protocol[] | undefined;
  readonly surplus: Fault | undefined;
  /** The client's address as logs and callbacks have it. */
  readonly clientName: string;
  /** See `Timed`. */
  expiresAt = Infinity;
  /** Makes whatever the current step waits for reject with the fault. */
  onCut: (fault: Fault) => void;
  #deadline: Deadline = "none";
  #late: FaultCode = "client_timeout";
  #waiting = false;
  #draining = false;

  /** Takes the stream over. */
  constructor({ id, stream, services, accepts, surplus }: SessionOptions) {
    this.id = id;
    this.client = new Channel(stream, "client");
    this.services = services;
    this.accepts = accepts;
    this.surplus = surplus;
    this.clientName = "host" in stream.remote ? formatAuthority(stream.remote) : "unix:";
    this.onCut = this.#cutClient;
  }

  readonly #cutClient = (fault: Fault): void => this.client.cut(fault);

  /** Whether the client may send another request on this connection. */
  get keepAlive(): boolean {
    return !this.#draining;
  }

  /** Begins a step: `deadline` runs, unless it does so already, and `late` is the fault when it has passed. */
  enter(deadline: Deadline, late: FaultCode): void {
    this.onCut = this.#cutClient;
    this.#waiting = false;
    this.#late = late;
    if (deadline !== "header" || this.#deadline !== "header") this.setDeadline(deadline);
  }

  /** Starts a deadline in place of the one that runs. */
  setDeadline(deadline: Deadline): void {
    this.#deadline = deadline;
    this.#waiting = false;
    this.expiresAt = deadline === "none"
      ? Infinity
      : this.services.clock.now() + this.services.timeouts[deadline];
    this.services.deadlines.watch(this);
  }

  /** The client owes nothing and is owed nothing: it may be let go when the proxy drains. */
  waitForRequest(deadline: "header" | "idle"): void {
    this.setDeadline(deadline);
    this.#waiting = true;
  }

  /** See `Timed`: the deadline has passed. */
  expire(): void {
    this.expiresAt = Infinity;
    this.cut(new Fault(this.#late));
  }

  /** Breaks off what the current step waits for. */
  cut(fault: Fault): void {
    this.onCut(fault);
  }

  /** Finishes what was begun and takes no further request. */
  drain(): void {
    this.#draining = true;
    if (this.#waiting) this.cut(new Fault("proxy_shutdown"));
  }

  /** Waits for a promise that nothing else can cut. What it settles with after a cut is nobody's any more. */
  async interruptible<T>(promise: Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.onCut = reject;
        if (this.#waiting && this.#draining) reject(new Fault("proxy_shutdown"));
        promise.then(resolve, reject);
      });
    } finally {
      this.onCut = this.#cutClient;
    }
  }

  /** Begins the record of a request, or of what was meant to be one. */
  record(protocol: Protocol, { user, request }: { user?: string; request?: ProxyRequest }): Recording {
    const recording = new Recording({
      id: this.id,
      client: this.clientName,
      protocol,
      clock: this.services.clock,
    });
    recording.user = user;
    if (request?.kind === "tunnel") {
      recording.method = "CONNECT";
      recording.target = formatAuthority(request.target);
    } else if (request) {
      recording.method = request.http.head.method;
      recording.target = request.http.head.target;
    }
    return recording;
  }

  /** Counts bytes for a record, and keeps the idle deadline away while they move. */
  observe(recording: Recording): TrafficObserver {
    return {
      sent: (count) => {
        recording.sent += count;
        this.#touch();
      },
      received: (count) => {
        recording.firstByte();
        recording.received += count;
        this.#touch();
      },
      answered: (status) => {
        recording.firstByte();
        recording.status = status;
        this.#touch();
      },
    };
  }

  #touch(): void {
    if (this.#deadline === "idle" || this.#deadline === "halfClosed") {
      this.expiresAt = this.services.clock.now() + this.services.timeouts[this.#deadline];
    }
  }

  /** Hands a finished record out. A callback that throws costs nobody else anything. */
  finish(recording: Recording, ending: Ending): void {
    const record: AccessRecord = recording.end(ending);
    try {
      this.services.onRecord(record);
    } catch (error) {
      this.services.log.error("The callback onRecord failed", error);
    }
  }

  /** Connects to a target. */
  async dial(target: TcpAddress, recording: Recording): Promise<Channel> {
    const { runtime, clock, listening, privateDestinations } = this.services;
    const controller = new AbortController();
    this.onCut = (fault) => controller.abort(fault);
    const judge = (address: TcpAddress, channel?: Channel) => {
      refuseOwnListeners(address, listening(), channel?.local);
      if (privateDestinations === "deny") refuseSpecialPurpose(address, channel);
    };
    const dialed = await dialDirect(target, { runtime, clock, signal: controller.signal, judge });
    recording.dialed = formatAuthority(dialed.address);
    recording.dnsTime = dialed.dnsTime;
    recording.dialTime = dialed.dialTime;
    return dialed.channel;
  }

  /** Ends the watch over the deadline. */
  end(): void {
    this.services.deadlines.forget(this);
  }
}
