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
    { heading: "Limits by rules" },
    "A limit is a rule: limit MATCH to AMOUNT. MATCH is that of other rules; it judges the name that the client gives, not " +
    "what the name resolves to. All limits that match a request apply. They come from --limit, and from the same file as " +
    "other rules.",
    {
      lines: `limit * to 20 connections per client
limit * to 50 requests/s per user
limit * to 10MB/s per user
limit .example.com to 1MB/s down
limit user=* to 5GB/day per user
limit * to 1000 requests/hour per client shadow`,
    },
    {
      terms: [
        ["20 connections", "Requests under way; a tunnel counts while it lasts, an idle client does not"],
        ["50 requests/s", "Also /minute and /hour: so many at once, and they come back evenly"],
        [
          "1000 requests/day",
          "Also /week and /month: in a window of the calendar, in UTC; a week begins on Monday",
        ],
        [
          "10MB/s",
          "Bandwidth, each way by itself. Who would move more waits; datagrams beyond it are dropped. MB is a million " +
          "bytes, MiB and m are 1,048,576, 8Mbit is 1MB",
        ],
        ["5GB/day", "Also /week and /month: both ways together. A transfer ends when it runs out"],
        ["up, down", "Only the bytes to the target, or from it"],
        [
          "per user, client, target",
          "A count for each; otherwise all that match share one. An IPv6 /64 is one client",
        ],
        ["shadow", "Refuses nothing, and tells in the log and the metrics what it would have refused"],
      ],
    },
    "A request beyond a limit is told 429 with Retry-After (SOCKS5: 02, SOCKS4: 5B). The log names the limit. A reload " +
    "keeps the counts of each limit whose text stays.",
    { heading: "Where the counts are" },
    "Workers share them. --state FILE keeps used quotas over a restart; the file is written every few seconds.",
    "--store shares all counts with other machines, in Redis or Valkey. Each process takes a few tokens ahead (of a rate the " +
    "next 50 ms, of a quota 1 %), so that requests seldom wait for the store. While it is gone, each machine goes on with " +
    "its share, one of the machines that were there last, and the log says so. A store that has lost its data is told what " +
    "the machines remember. The client is the npm package redis: Deno and Bun fetch it, for Node install it.",
    {
      lines: `npm install redis@6.3.1
SLUICE_STORE=redis://ann:secret@10.0.0.5:6379/0 sluice --rules-file rules.txt
sluice --store 'rediss://ann@store.example?password=/run/secrets/store'`,
    },
    { heading: "Strangers" },
    "All heads that are not complete hold 32 MiB together, in each worker. Beyond that the oldest is told 503.",
  ],
  groups: ["Limits"],
};
