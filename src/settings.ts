/**
 * Every limit and time limit of a proxy, with its default and the reason for it.
 *
 * @module
 */

/** How long things may take, in milliseconds. */
export interface Timeouts {
  /**
   * From the first byte to the end of the request's head, however it trickles. A client of which no request was allowed
   * yet has as long, too, until its next request begins.
   */
  readonly header: number;
  /** Resolving a name: a part of `connect`. */
  readonly dns: number;
  /** Resolving and connecting to the target, all attempts together. */
  readonly connect: number;
  /** Without a byte moving in either direction: an open tunnel, a transfer, a kept-alive client that was let in. */
  readonly idle: number;
  /** The same once one side of a tunnel has ended. */
  readonly halfClosed: number;
  /**
   * While bytes wait for a peer that takes none of them, and nothing moves in the other direction either: the peer has
   * probably vanished. The time counts from the last progress, and the end may come a tenth later. A live peer that reads
   * nothing looks the same, so it has as long. So does a slow one: systems tell of room in their buffers when a third of
   * them is free, which was 1 to 2 MB on loopback (Linux). A time that is longer than `idle` changes nothing.
   *
   * What the system has taken counts as sent. It goes on trying for about 15 minutes and sends no keep-alive probes
   * meanwhile; `idle` ends that earlier.
   */
  readonly stalled: number;
  /** For the last bytes to arrive: an error page, or the client's FIN after ours (RFC 9112 section 9.6). */
  readonly linger: number;
  /** What transfers get to finish after SIGTERM. */
  readonly drain: number;
}

/**
 * The defaults. HAProxy and Squid ship 10 s or more for a head; Squid's shutdown_lifetime is 30 s; nginx gives a reader
 * that takes nothing 60 s (send_timeout).
 */
export const DEFAULT_TIMEOUTS: Timeouts = {
  header: 10_000,
  dns: 5_000,
  connect: 10_000,
  idle: 300_000,
  halfClosed: 60_000,
  stalled: 75_000,
  linger: 2_000,
  drain: 30_000,
};

/** How much a stranger may make grow. */
export interface Limits {
  /** Connections at once. Beyond it clients are told 503 (SOCKS: 01) as far as there is room, and cut where there is none. */
  readonly connections: number;
  /** Connections at once from one source (an IPv4 address, an IPv6 /64). */
  readonly perClient: number;
  /**
   * Wrong passwords that one source (an IPv4 address, an IPv6 /64) may give in a minute before it has to wait. A /56 may
   * give twice as many, a /48 three times; what comes beyond that is refused at once.
   */
  readonly attempts: number;
  /** Bytes in a request's or response's head, and in a chunked body's trailers. Each also has at most 1,000 fields. */
  readonly headerSize: number;
  /** Bytes in the body of a request; more is refused with 413. A tunnel has no body. */
  readonly bodySize: number;
}

/**
 * The most octets that all clients together hold in heads that are not complete; each worker has so much. It is room for
 * 250 of the largest heads and for 16,000 ordinary ones, and small beside what the smallest machine has.
 */
export const UNFINISHED_HEADS = 32 * 1024 * 1024;

/** The defaults. HAProxy takes heads of 16 KiB, Node 16 KiB, Squid 64 KiB. */
export const DEFAULT_LIMITS: Limits = {
  connections: 16_384,
  perClient: Infinity,
  attempts: 20,
  headerSize: 64 * 1024,
  bodySize: Infinity,
};
