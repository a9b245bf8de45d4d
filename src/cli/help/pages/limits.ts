/**
 * Limits: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "Each limit bounds what a stranger can make grow. A size is a number of bytes, or one with k, m or g.",
    {
      terms: [
        ["--max-connections", "Beyond it clients are told 503 (SOCKS: 01) as far as there is room"],
        [
          "--max-per-client",
          "Counted over all workers, by IPv4 address or IPv6 /64; behind a load balancer, by the client " +
          "that it announces",
        ],
        [
          "--max-header-size",
          "Beyond it a request is told 431, or 414 for its target. A head has up to 1,000 fields",
        ],
        ["--max-body-size", "Beyond it a request is told 413. A tunnel has no body"],
        ["--max-attempts", 'Wrong passwords: see "sluice help users"'],
      ],
    },
    "All heads that are not complete hold 32 MiB together, in each worker. Beyond that the oldest is told 503.",
  ],
  groups: ["Limits"],
};
