/**
 * A request's way to the origin: its head, and its body as the client sends it.
 *
 * @module
 */

import { Fault, malformed, toFault } from "../faults.ts";
import type { ClientSide, OriginSide } from "../protocols/http/sides.ts";
import { type BodyObserver, pumpBody } from "./body_pump.ts";
import type { Pace } from "./pace.ts";

/** What an upload works with. */
export interface UploadOptions {
  readonly client: ClientSide;
  readonly origin: OriginSide;
  /** The most octets of a body. */
  readonly bodySize: number;
  /** How fast the body may move, if that is limited. */
  readonly pace?: Pace;
}

/** Told of an upload. */
export interface UploadObserver {
  /** The origin's side took content from the client. */
  sent(count: number): void;
  /** The upload is over. With a fault, it broke off. */
  uploaded(fault: Fault | undefined): void;
}

/** Sends one request. Start it once. */
export class Upload implements BodyObserver {
  /**
   * How far it is. `client` and `origin`: it waits for that side. `taken`: the client has sent all of it. `done`: all of
   * it has left. `failed`: it broke off.
   */
  state: "client" | "origin" | "taken" | "done" | "failed" = "origin";
  /** What broke it off. */
  fault: Fault | undefined;
  readonly #options: UploadOptions;
  readonly #observer: UploadObserver;
  #left: number;
  #onOver: (() => void) | undefined;

  constructor(options: UploadOptions, observer: UploadObserver) {
    this.#options = options;
    this.#observer = observer;
    this.#left = options.bodySize;
  }

  /** Never throws: the observer is told. */
  start(): void {
    try {
      if (this.#send()) this.pumped();
    } catch (error) {
      this.pumpFailed(toFault(error));
    }
  }

  /** Returns true if all of it has left. */
  #send(): boolean {
    const { client, origin, bodySize } = this.#options;
    const { request, address } = client;
    const { framing } = request;
    if (framing.kind === "length" && framing.length > bodySize) throw tooLarge(bodySize);
    origin.send(request, address);
    if (framing.kind !== "none") return pumpBody(client, origin, this);
    this.state = "taken";
    const sending = origin.flush();
    sending?.then(() => this.pumped(), (error) => this.pumpFailed(toFault(error)));
    return sending === undefined;
  }

  /** Settles when it is over. Never rejects. */
  over(): Promise<void> {
    if (this.state === "done" || this.state === "failed") return Promise.resolve();
    return new Promise((resolve) => this.#onOver = resolve);
  }

  /** See `BodyObserver`. */
  get pace(): Pace | undefined {
    return this.#options.pace;
  }

  /** See `BodyObserver`. */
  moved(count: number): void {
    this.#left -= count;
    if (this.#left < 0) throw tooLarge(this.#options.bodySize);
    this.#observer.sent(count);
  }

  /** See `BodyObserver`. */
  waiting(forBytes: boolean): void {
    this.state = forBytes ? "client" : "origin";
  }

  /** See `BodyObserver`. */
  taken(): void {
    this.state = "taken";
  }

  /** See `BodyObserver`. */
  cutShort(): Fault {
    return new Fault("http_request_error", "The request body is shorter than its head says");
  }

  /** See `BodyObserver`. */
  pumped(): void {
    this.#end("done");
  }

  /** See `BodyObserver`. */
  pumpFailed(fault: Fault): void {
    this.fault = fault;
    this.#end("failed");
  }

  #end(state: "done" | "failed"): void {
    this.state = state;
    this.#observer.uploaded(this.fault);
    this.#onOver?.();
  }
}

/** RFC 9110 section 15.5.14. */
function tooLarge(limit: number): Fault {
  return malformed(`The request body is larger than ${limit} bytes`, { status: 413 });
}
