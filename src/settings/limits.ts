/**
 * How much clients and servers may use: the settings that the core reads, and their options.
 *
 * HAProxy takes heads of 16 KiB, Node 16 KiB, Squid 64 KiB.
 *
 * @module
 */

import { UsageError } from "../text/usage_error.ts";
import { bytesIn, COUNT, SIZE } from "./kinds.ts";
import { defaultsOf, type OptionsOf } from "./option.ts";

/** How much clients and servers may use. */
export interface Limits {
  /**
   * Connections at once. Clients beyond the limit get 503 (SOCKS: 01), or are cut if there is no room for an answer.
   * 16,384 by default.
   */
  readonly connections: number;
  /** Connections at once from one source (an IPv4 address, an IPv6 /64). No limit by default. */
  readonly perClient: number;
  /**
   * Wrong passwords that one source (an IPv4 address, an IPv6 /64) may give in a minute before it has to wait. 20 by
   * default. A /56 may give twice as many, and a /48 three times. Attempts beyond these two are refused at once.
   */
  readonly attempts: number;
  /**
   * Bytes in the head of a request or response, and in the trailers of a chunked body. 65,536 by default. Each may also
   * have at most 1,000 fields.
   */
  readonly headerSize: number;
  /** Bytes in the body of a request; a larger one is refused with 413. No limit by default. A tunnel has no body. */
  readonly bodySize: number;
}

/** Ordinary heads do not fit in less. RFC 9112 section 3 recommends room for request lines of 8000 octets. */
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
    reload: true,
  },
  "max-connections": {
    ...COUNT,
    group: "Limits",
    help: "Clients at once",
    default: 16_384,
    setting: "limits.connections",
    reload: true,
  },
  "max-per-client": {
    ...COUNT,
    group: "Limits",
    help: "Connections at once from one address, or from one client behind a load balancer",
    default: Infinity,
    setting: "limits.perClient",
    reload: true,
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

/** The defaults. */
export const DEFAULT_LIMITS: Limits = defaultsOf(LIMIT_OPTIONS, "limits.");

/**
 * How many octets all clients of a worker together may hold in incomplete heads. It has room for 250 of the largest heads
 * or for 16,000 ordinary ones, and is small beside the memory of the smallest machine.
 */
export const UNFINISHED_HEADS = 32 * 1024 * 1024;

function readHeaderSize(text: string): number {
  const size = bytesIn(text);
  if (size >= MIN_HEADER_SIZE && size <= MAX_HEADER_SIZE) return size;
  throw new UsageError(`Invalid size "${text}": give bytes such as "65536" or "64k", from "1k" to "16m"`);
}
