/**
 * How much a stranger may make grow: what the core reads, and the rows of the options that say so.
 *
 * HAProxy takes heads of 16 KiB, Node 16 KiB, Squid 64 KiB.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { bytesIn, COUNT, SIZE } from "./kinds.ts";
import { defaultsOf, type OptionsOf } from "./option.ts";

/** How much a stranger may make grow. */
export interface Limits {
  /**
   * Connections at once. Beyond it clients are told 503 (SOCKS: 01) as far as there is room, and cut where there is none.
   * 16,384 by default.
   */
  readonly connections: number;
  /** Connections at once from one source (an IPv4 address, an IPv6 /64). No limit by default. */
  readonly perClient: number;
  /**
   * Wrong passwords that one source (an IPv4 address, an IPv6 /64) may give in a minute before it has to wait. 20 by
   * default. A /56 may give twice as many, a /48 three times; what comes beyond that is refused at once.
   */
  readonly attempts: number;
  /**
   * Bytes in a request's or response's head, and in a chunked body's trailers. 65,536 by default. Each also has at most
   * 1,000 fields.
   */
  readonly headerSize: number;
  /** Bytes in the body of a request; more is refused with 413. No limit by default. A tunnel has no body. */
  readonly bodySize: number;
}

/** RFC 9112 section 3 wants request lines of 8000 octets to work; below this not even usual heads do. */
const MIN_HEADER_SIZE = 1024;
const MAX_HEADER_SIZE = 16 * 1024 * 1024;

/** The rows, in the order of the help. */
export const LIMIT_OPTIONS = {
  "max-attempts": {
    ...COUNT,
    group: "Access",
    help:
      "Wrong passwords a minute from one address or IPv6 /64; after that each attempt waits its turn, or is told " +
      "503. A /56 has twice as many, a /48 three times",
    default: 20,
    setting: "limits.attempts",
    reload: false,
  },
  "max-connections": {
    ...COUNT,
    group: "Limits",
    help: "Clients at once",
    default: 16_384,
    setting: "limits.connections",
    reload: false,
  },
  "max-per-client": {
    ...COUNT,
    group: "Limits",
    help: "Connections at once from one address, or from one client behind a load balancer",
    default: Infinity,
    setting: "limits.perClient",
    reload: false,
  },
  "max-header-size": {
    ...SIZE,
    group: "Limits",
    help: "Bytes in a message head, which has up to 1,000 fields",
    default: 65_536,
    setting: "limits.headerSize",
    reload: true,
    read: readHeaderSize,
  },
  "max-body-size": {
    ...SIZE,
    group: "Limits",
    help: "Bytes in the body of a request",
    default: Infinity,
    setting: "limits.bodySize",
    reload: true,
  },
} as const satisfies OptionsOf<`limits.${keyof Limits}`>;

/** The limits where no others are given. */
export const DEFAULT_LIMITS: Limits = defaultsOf(LIMIT_OPTIONS, "limits.");

/**
 * The most octets that all clients together hold in heads that are not complete; each worker has so much. It is room for
 * 250 of the largest heads and for 16,000 ordinary ones, and small beside what the smallest machine has.
 */
export const UNFINISHED_HEADS = 32 * 1024 * 1024;

function readHeaderSize(text: string): number {
  const size = bytesIn(text);
  if (size >= MIN_HEADER_SIZE && size <= MAX_HEADER_SIZE) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "65536" or "64k", from "1k" to "16m"`);
}
