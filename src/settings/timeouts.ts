/**
 * How long things may take: what the core reads, and the rows of the options that say so.
 *
 * HAProxy and Squid ship 10 s or more for a head; Squid's shutdown_lifetime is 30 s; nginx gives a reader that takes
 * nothing 60 s (send_timeout).
 *
 * @module
 */

import { DURATION, TIME } from "./kinds.ts";
import { defaultsOf, LIBRARY_ONLY, type OptionsOf } from "./option.ts";

/** How long things may take, in milliseconds. */
export interface Timeouts {
  /**
   * From the first byte to the end of the request's head, however it trickles. A client of which no request was allowed
   * yet has as long, too, until its next request begins. 10 seconds by default.
   */
  readonly header: number;
  /** Resolving a name: a part of `connect`. 5 seconds by default. */
  readonly dns: number;
  /** Resolving and connecting to the target, all attempts together. 10 seconds by default. */
  readonly connect: number;
  /**
   * Without a byte moving in either direction: an open tunnel, a transfer, a kept-alive client that was let in. 5 minutes
   * by default.
   */
  readonly idle: number;
  /** The same once one side of a tunnel has ended. 1 minute by default. */
  readonly halfClosed: number;
  /**
   * While bytes wait for a peer that takes none of them, and nothing moves in the other direction either: the peer has
   * probably vanished. 75 seconds by default. The time counts from the last progress, and the end may come a tenth later.
   * A live peer that reads nothing looks the same, so it has as long. So does a slow one: systems tell of room in their
   * buffers when a third of them is free, which was 1 to 2 MB on loopback (Linux). A time that is longer than `idle`
   * changes nothing.
   *
   * What the system has taken counts as sent. It goes on trying for about 15 minutes and sends no keep-alive probes
   * meanwhile; `idle` ends that earlier.
   */
  readonly stalled: number;
  /** For the last bytes to arrive: an error page, or the client's FIN after ours (RFC 9112 section 9.6). 2 seconds by default. */
  readonly linger: number;
  /** What transfers get to finish after SIGTERM. 30 seconds by default. */
  readonly drain: number;
}

/** The rows, in the order of the help. */
export const TIMEOUT_OPTIONS = {
  "connect-timeout": {
    ...TIME,
    group: "Timeouts",
    help: "Until a target is resolved and connected",
    default: 10_000,
    setting: "timeouts.connect",
    reload: true,
  },
  "dns-timeout": {
    ...TIME,
    group: "Timeouts",
    help: "Until a name is resolved",
    default: 5_000,
    setting: "timeouts.dns",
    reload: false,
  },
  "header-timeout": {
    ...TIME,
    group: "Timeouts",
    help:
      "Until a client's request head is complete; and until the next request of a client that was refused",
    default: 10_000,
    setting: "timeouts.header",
    reload: true,
  },
  "idle-timeout": {
    ...TIME,
    group: "Timeouts",
    help: "Without a byte in either direction",
    default: 300_000,
    setting: "timeouts.idle",
    reload: true,
  },
  "half-closed-timeout": {
    ...TIME,
    group: "Timeouts",
    help: "Without a byte, once one side of a tunnel has ended",
    default: 60_000,
    commands: LIBRARY_ONLY,
    setting: "timeouts.halfClosed",
    reload: true,
  },
  "stall-timeout": {
    ...TIME,
    group: "Timeouts",
    help: "While bytes wait for a peer that takes none, and nothing else moves",
    default: 75_000,
    setting: "timeouts.stalled",
    reload: true,
  },
  "linger-timeout": {
    ...TIME,
    group: "Timeouts",
    help: "For the last bytes to arrive",
    default: 2_000,
    commands: LIBRARY_ONLY,
    setting: "timeouts.linger",
    reload: true,
  },
  "drain-timeout": {
    ...DURATION,
    group: "Timeouts",
    help: "For transfers to finish after the first signal to stop; 0 cuts them off",
    default: 30_000,
    setting: "timeouts.drain",
    reload: true,
  },
} as const satisfies OptionsOf<`timeouts.${keyof Timeouts}`>;

/** The time limits where no others are given. */
export const DEFAULT_TIMEOUTS: Timeouts = defaultsOf(TIMEOUT_OPTIONS, "timeouts.");
