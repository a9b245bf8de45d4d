/**
 * How long things may take: the settings that the core reads, and their options.
 *
 * HAProxy and Squid give a head 10 s or more. Squid's shutdown_lifetime is 30 s. nginx gives a peer that reads nothing
 * 60 s (send_timeout).
 *
 * @module
 */

import { DURATION, TIME } from "./kinds.ts";
import { defaultsOf, LIBRARY_ONLY, type OptionsOf } from "./option.ts";

/** How long things may take, in milliseconds. */
export interface Timeouts {
  /**
   * From the first byte to the end of the request's head, however slowly the bytes come. A client without an allowed
   * request so far also has this long until its next request begins. 10 seconds by default.
   */
  readonly header: number;
  /** Resolving a name: a part of `connect`. 5 seconds by default. */
  readonly dns: number;
  /** Resolving and connecting to the target, all attempts together. 10 seconds by default. */
  readonly connect: number;
  /**
   * While no byte moves in either direction: for an open tunnel, a transfer, or a kept-alive client that was let in. 5 minutes
   * by default.
   */
  readonly idle: number;
  /** Like `idle`, after one side of a tunnel has ended. 1 minute by default. */
  readonly halfClosed: number;
  /**
   * While bytes wait for a peer that takes none, and nothing moves in the other direction either: the peer has probably
   * vanished. 75 seconds by default. The time counts from the last progress, and the cut may come a tenth later.
   * A live peer that reads nothing looks the same, so it has as long. A slow peer looks the same, too: systems report room
   * in their buffers when a third is free, which was 1 to 2 MB on loopback (Linux). A time longer than `idle` changes
   * nothing.
   *
   * Bytes that the system has taken count as sent. The system retries them for about 15 minutes, and sends no keep-alive
   * probes meanwhile; `idle` ends this earlier.
   */
  readonly stalled: number;
  /** For the last bytes: an error page, or the client's FIN after ours (RFC 9112 section 9.6). 2 seconds by default. */
  readonly linger: number;
  /** For transfers to finish after SIGTERM. 30 seconds by default. */
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
    reload: true,
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

/** The defaults. */
export const DEFAULT_TIMEOUTS: Timeouts = defaultsOf(TIMEOUT_OPTIONS, "timeouts.");
