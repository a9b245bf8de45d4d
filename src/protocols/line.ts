/**
 * The `line` protocol: a client sends `HOST:PORT` and CRLF, and is connected to that.
 *
 * There is neither a reply nor a version nor a password, so it is for trusted networks and inside of TLS; it
 * cannot be told from other protocols, so it is spoken only where a listener is for it alone. A target that
 * cannot be reached is told by the close.
 *
 * @module
 */

import { type Fault, malformed } from "../faults.ts";
import type { TcpAddress } from "../runtime.ts";
import type { ByteBuffer } from "./byte_buffer.ts";
import type { Handshake, HandshakeEvent, HandshakeOptions, Refusal } from "./handshake.ts";
import { parseHost } from "./host.ts";
import { takeLine } from "./http1_head.ts";
import { fromOctets } from "./http1_syntax.ts";

/** A name of 255 bytes, a colon, a port of five digits and the line end, rounded up. */
const MAX_LINE = 264;

const tooLong = (): Fault => malformed(`The line is longer than ${MAX_LINE} bytes`);

const NOTHING = new Uint8Array(0);

/** What a conversation waits for, in the order in which it comes to it. */
type Stage =
  /** The first byte, to say that this protocol has no credentials. */
  | "identifying"
  /** `accepted()`: until then no byte is read. */
  | "judging"
  /** The line. */
  | "requesting"
  /** `established()` or `refused()`. */
  | "answering";

/** One line. */
export class LineHandshake implements Handshake {
  /** See `Handshake`. */
  readonly protocol = "line";
  #stage: Stage;

  /** One object serves one request. */
  constructor({ credentialsRequired }: HandshakeOptions) {
    this.#stage = credentialsRequired ? "identifying" : "requesting";
  }

  /** See `Handshake`. Where credentials are required, the first event says that there are none. */
  read(buffer: ByteBuffer): HandshakeEvent | undefined {
    switch (this.#stage) {
      case "identifying":
        if (buffer.length === 0) return undefined;
        this.#stage = "judging";
        return { type: "credentials", credentials: undefined };
      case "requesting": {
        const line = takeLine(buffer, { mend: true, limit: MAX_LINE, tooLong });
        if (!line) return undefined;
        const target = targetIn(fromOctets(line));
        this.#stage = "answering";
        return { type: "request", request: { kind: "tunnel", target } };
      }
      case "judging":
      case "answering":
        return undefined;
    }
  }

  /** Nothing is said of accepted credentials; whoever accepts none at all knows the client by other means. */
  accepted(): Uint8Array {
    if (this.#stage !== "judging") throw new Error(`Cannot accept credentials while ${this.#stage}`);
    this.#stage = "requesting";
    return NOTHING;
  }

  /** The first byte that the client gets is the target's. */
  established(): Uint8Array {
    return NOTHING;
  }

  /** Nothing is said: the close is the refusal. */
  refused(_fault: Fault): Refusal {
    return { bytes: NOTHING, retryable: false };
  }
}

/** The last colon is the one before the port, so an IPv6 address is understood without brackets too. */
function targetIn(line: string): TcpAddress {
  const [, bracketed, bare, port] = /^(?:\[([^\]]*:[^\]]*)\]|([^[\]]*)):([0-9]{1,5})$/.exec(line) ?? [];
  const host = parseHost(bracketed ?? bare ?? "");
  if (host === undefined || Number(port) < 1 || Number(port) > 65535) {
    throw malformed(`The line is no host and port: ${JSON.stringify(line)}`);
  }
  return { host, port: Number(port) };
}
