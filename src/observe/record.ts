/**
 * What is recorded of every request and every tunnel: one record each, handed to the access log and to `onRecord`.
 *
 * @module
 */

import type { FaultCode } from "../faults.ts";
import type { Protocol } from "../protocols/client_protocols.ts";

/** How a request or tunnel ended. */
export type Ending =
  /** Both sides had said all they wanted. */
  | "completed"
  /** The proxy said no, or could not reach the target, and told the client. */
  | "refused"
  /** A deadline passed. */
  | "timed out"
  /** One side broke off, or the proxy was shut down. */
  | "aborted";

/** Counts of an association. The bytes are in the record's `sent` and `received`. */
export interface DatagramCounts {
  /** Targets that the client named. One that was forgotten for 256 others, and named again, counts twice. */
  readonly targets: number;
  /** Datagrams that were sent to targets. */
  readonly sent: number;
  /** Datagrams that were passed on to the client. */
  readonly received: number;
  /** Datagrams from either side that were passed on to nobody. */
  readonly dropped: number;
}

/** One line of the access log. Counts are bytes, durations are milliseconds. */
export interface AccessRecord {
  /** When the request arrived. */
  readonly time: Date;
  /** The connection's id; the requests of one connection share it. */
  readonly id: string;
  /** The client's address: `HOST:PORT`, or `unix:` for a Unix socket. */
  readonly client: string;
  /** The user who was let in; undefined where nobody is asked. */
  readonly user: string | undefined;
  /** The name that a failed login gave, cut to 64 characters; whoever gave it was not let in. */
  readonly triedUser: string | undefined;
  /** What the client speaks. */
  readonly protocol: Protocol | undefined;
  /** The HTTP method; CONNECT for every kind of tunnel, UDP for an association; undefined when no request was understood. */
  readonly method: string | undefined;
  /** The URI of an HTTP request (without user information), `HOST:PORT` of a tunnel, or of an association's first datagram. */
  readonly target: string | undefined;
  /** The route taken: `direct`, or the upstream's endpoint without its password. */
  readonly route: string | undefined;
  /** The address that was dialed, `HOST:PORT`. */
  readonly dialed: string | undefined;
  /** The HTTP status or SOCKS reply code sent to the client; undefined when it got none. */
  readonly status: number | undefined;
  /** What went wrong, if anything did. */
  readonly fault: FaultCode | undefined;
  /** The operator's words for the fault. */
  readonly reason: string | undefined;
  /** Body or tunnel bytes from the client to the target. */
  readonly sent: number;
  /** Body or tunnel bytes from the target to the client. */
  readonly received: number;
  /** What went over an association; undefined for everything else. */
  readonly datagrams: DatagramCounts | undefined;
  /** Spent resolving the name. */
  readonly dnsTime: number | undefined;
  /** Spent connecting. */
  readonly dialTime: number | undefined;
  /** From the request to the first byte of the answer, or of what came down the tunnel. */
  readonly firstByteTime: number | undefined;
  /** From the request to the end. */
  readonly duration: number;
  /** How it ended. */
  readonly ending: Ending;
}
