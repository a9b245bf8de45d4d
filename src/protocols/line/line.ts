/**
 * The `line` protocol: a client sends `HOST:PORT` and CRLF, and is connected to that target.
 *
 * It has no reply, no version and no password, so it is for trusted networks and for use inside TLS. It cannot be told
 * from other protocols, so it needs a listener of its own. If a target cannot be reached, the connection is closed.
 *
 * @module
 */

import { type Fault, malformed } from "../../faults.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { ClientProtocol } from "../common/client_protocol.ts";
import type { Refusal, TunnelRequest } from "../common/handshake.ts";
import { parseHost } from "../../addresses/host.ts";
import { parsePort, splitHostPort } from "../../addresses/host_port.ts";
import { takeLine } from "../http1/section.ts";
import { fromOctets } from "../http/syntax.ts";
import { NamelessHandshake } from "../common/nameless_handshake.ts";

/** A name of 255 bytes, a colon, a port of five digits and the line end, rounded up. */
const MAX_LINE = 264;

const tooLong = (): Fault => malformed(`The line is longer than ${MAX_LINE} bytes`);

const NOTHING = new Uint8Array(0);

/** Reads one line. */
export class LineHandshake extends NamelessHandshake<"line"> {
  /** See `Handshake`. */
  override readonly protocol = "line";

  protected override readRequest(buffer: ByteBuffer): TunnelRequest | undefined {
    const line = takeLine(buffer, { mend: true, limit: MAX_LINE, tooLong });
    return line && { kind: "tunnel", target: targetIn(fromOctets(line)) };
  }

  /** The first byte that the client gets is the target's. */
  override established(): Uint8Array {
    return NOTHING;
  }

  /** Sends nothing: the close is the refusal. */
  override refused(_fault: Fault): Refusal {
    return { bytes: NOTHING, retryable: false };
  }
}

/** The row of `line`. A line may begin with any byte, so nothing tells it from other protocols. */
export const LINE: ClientProtocol<"line", "line"> = {
  name: "line",
  begins: () => true,
  detected: false,
  persistent: false,
  Handshake: LineHandshake,
  ruleWords: { tunnel: "line" },
  established: undefined,
  refused: () => undefined,
  urlSchemes: { plain: "line", tls: "line+tls" },
};

/** The last colon is the one before the port, so an IPv6 address works without brackets, too. */
function targetIn(line: string): TcpAddress {
  const { host: given = "", bracketed, port: behind = "" } = splitHostPort(line) ?? {};
  const host = bracketed && !given.includes(":") ? undefined : parseHost(given);
  const port = parsePort(behind);
  if (host === undefined || !port) throw malformed(`The line is no host and port: ${JSON.stringify(line)}`);
  return { host, port };
}
