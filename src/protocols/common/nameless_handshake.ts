/**
 * What SOCKS4 and `line` share: one request, and no credentials.
 *
 * @module
 */

import type { Fault } from "../../faults.ts";
import type { Address } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { Handshake, HandshakeEvent, HandshakeOptions, Refusal, TunnelRequest } from "./handshake.ts";

/** What the handshake waits for. The stages come in this order. */
type Stage =
  /** The first byte, after which it reports that there are no credentials. */
  | "identifying"
  /** `accepted()`. No byte is read before it. */
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

  /** See `Handshake`. If credentials are required, the first event reports that there are none. */
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

  /** Takes the request off the buffer. Undefined while it is not whole. Throws a `Fault` if it is malformed. */
  protected abstract readRequest(buffer: ByteBuffer): TunnelRequest | undefined;

  /** The protocol has no answer for this. The authenticator may have accepted the client by its address alone. */
  accepted(): Uint8Array {
    if (this.#stage !== "judging") throw new Error(`Cannot accept credentials while ${this.#stage}`);
    this.#stage = "requesting";
    return new Uint8Array(0);
  }

  /** See `Handshake`. */
  abstract established(ours: { readonly local: Address }): Uint8Array;

  /** See `Handshake`. */
  abstract refused(fault: Fault): Refusal;
}
