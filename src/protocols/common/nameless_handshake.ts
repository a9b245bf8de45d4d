/**
 * What SOCKS4 and the line have in common: one request, and no way for a client to prove who it is.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { Handshake, HandshakeEvent, HandshakeOptions, Refusal, TunnelRequest } from "./handshake.ts";

/** What a conversation waits for, in the order in which it comes to it. */
type Stage =
  /** The first byte, to say that this protocol has no credentials. */
  | "identifying"
  /** `accepted()`: until then no byte is read. */
  | "judging"
  /** The request. */
  | "requesting"
  /** `established()` or `refused()`. */
  | "answering";

/** One request of a protocol without credentials. */
export abstract class NamelessHandshake<Name extends string> implements Handshake<Name> {
  /** See `Handshake`. */
  abstract readonly protocol: Name;
  #stage: Stage;

  /** One object serves one request. */
  constructor({ credentialsRequired }: HandshakeOptions) {
    this.#stage = credentialsRequired ? "identifying" : "requesting";
  }

  /** See `Handshake`. Where credentials are required, the first event says that there are none. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined {
    if (this.#stage === "identifying" && buffer.length > 0) {
      this.#stage = "judging";
      return { type: "credentials", credentials: undefined };
    }
    const request = this.#stage === "requesting" ? this.readRequest(buffer) : undefined;
    if (!request) return undefined;
    this.#stage = "answering";
    return { type: "request", request };
  }

  /** Takes the request off the buffer; undefined while it is not whole. Throws a `Fault` on what is none. */
  protected abstract readRequest(buffer: ByteBuffer): TunnelRequest | undefined;

  /** Nothing is said of accepted credentials; whoever accepts none at all knows the client by other means. */
  accepted(): Uint8Array {
    if (this.#stage !== "judging") throw new Error(`Cannot accept credentials while ${this.#stage}`);
    this.#stage = "requesting";
    return new Uint8Array(0);
  }

  /** See `Handshake`. */
  abstract established(bound: Address): Uint8Array;

  /** See `Handshake`. */
  abstract refused(fault: Fault): Refusal;
}
