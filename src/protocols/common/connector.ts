/**
 * The counterpart of a handshake: what this proxy says to an upstream so that it opens a tunnel.
 *
 * A connector is a pure codec like a `Handshake`: bytes in, events out. One object opens one tunnel. It takes nothing
 * behind the last reply off the buffer, because the first bytes of the target belong to the tunnel.
 *
 * @module
 */

import { Fault, type FaultCode, type FaultOptions } from "../../faults.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { Credentials } from "./handshake.ts";

/** What a connector has read. */
export type ConnectorEvent =
  /** The upstream waits for these bytes. */
  | { readonly type: "send"; readonly bytes: Uint8Array }
  /** The tunnel is open: what follows comes from the target. */
  | { readonly type: "established" };

/** The tunnel is open. */
export const ESTABLISHED: ConnectorEvent = { type: "established" };

/** Opens a tunnel through an upstream, in one protocol. */
export interface Connector {
  /** Whether the target has been named. From then on, a failure may be the target's doing. */
  readonly asked: boolean;
  /** The first message. */
  start(): Uint8Array;
  /**
   * Takes what it understands off the buffer. Undefined: needs more bytes. Throws an {@linkcode UpstreamFault} if the
   * upstream fails or does not speak the protocol, and any other `Fault` if it refuses the target.
   */
  read(buffer: ByteBuffer): ConnectorEvent | undefined;
}

/** What a connector asks for. */
export interface ConnectorOptions {
  /** The target of the tunnel: a name or an IP address, and a port. */
  readonly target: TcpAddress;
  /** The user that we log in as. */
  readonly credentials?: Credentials;
}

/**
 * The upstream has failed, whatever the target: it cannot be reached, does not speak the protocol, does not know us, or
 * says that it is out of order. Another upstream may do better.
 */
export class UpstreamFault extends Fault {
  /** Tells this type from `Fault` in the compiler, which would otherwise take every `Fault` for one. */
  readonly failed = "upstream";
  /** Whether the target may have caused the failure. Then it is no evidence against the upstream by itself. */
  readonly doubtful: boolean;

  /** The SOCKS5 reply is a general failure: one such as 05, connection refused, would blame the target. */
  constructor(
    code: FaultCode,
    message?: string,
    { doubtful = false, ...options }: Omit<FaultOptions, "socks5" | "party"> & {
      readonly doubtful?: boolean;
    } = {},
  ) {
    super(code, message, { ...options, socks5: 1, party: "next proxy" });
    this.doubtful = doubtful;
  }
}
