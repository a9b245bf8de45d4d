/**
 * The other side of a handshake: what this proxy says to the next one so that it opens a tunnel.
 *
 * A connector is a pure codec like a `Handshake`: bytes in, events out. One object opens one tunnel. Nothing
 * behind the last reply is taken off the buffer: what the target says first belongs to the tunnel.
 *
 * @module
 */

import { Fault, type FaultCode, type FaultOptions } from "../../faults.ts";
import type { TcpAddress } from "../../runtime/contract.ts";
import type { ByteBuffer } from "../../streams/byte_buffer.ts";
import type { Credentials } from "./handshake.ts";

/** What a connector has understood. */
export type ConnectorEvent =
  /** The next proxy waits for these bytes. */
  | { readonly type: "send"; readonly bytes: Uint8Array }
  /** The tunnel stands: what follows comes from the target. */
  | { readonly type: "established" };

/** The tunnel stands. */
export const ESTABLISHED: ConnectorEvent = { type: "established" };

/** This proxy's way through the next one, in one protocol. */
export interface Connector {
  /** Whether the target has been named: what happens from then on may be the target's doing. */
  readonly asked: boolean;
  /** What is said first. */
  start(): Uint8Array;
  /**
   * Takes what it understands off the buffer. Undefined: needs more bytes. Throws an {@linkcode
   * UpstreamFault} for a proxy that fails or that does not speak the protocol, and any other `Fault` where it
   * refuses the target.
   */
  read(buffer: ByteBuffer): ConnectorEvent | undefined;
}

/** What a connector is to ask for. */
export interface ConnectorOptions {
  /** Where the tunnel is to lead: a name or an IP address, and a port. */
  readonly target: TcpAddress;
  /** Who we say we are. */
  readonly credentials?: Credentials;
}

/**
 * The next proxy has failed, whatever the target: it cannot be reached, does not speak the protocol, does not
 * know us, or says that it is out of order. Another one may do better.
 */
export class UpstreamFault extends Fault {
  /** What has failed; by this the type is none that every `Fault` has. */
  readonly failed = "upstream";
  /** Whether the target may have brought it about: it is no evidence against the upstream by itself. */
  readonly doubtful: boolean;

  /**
   * SOCKS clients are told a general failure: a reply such as 05, connection refused, would blame the target.
   */
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
