/**
 * The logs: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "Each request and each tunnel has one line on standard output, when it has ended (here it is broken in three):",
    {
      lines: `2026-11-20T15:30:53.165Z 7ea0-1 127.0.0.1:51072 - http GET http://example.com/
200 completed sent=0 received=1256 duration=11.67ms dns=0.4ms dial=3.3ms
first_byte=8.7ms route=direct dialed=192.0.2.7:80`,
    },
    "--log-format json writes one object to a line, --access-log FILE writes to a file, and --access-log off writes " +
    'nothing. What is unknown is "-" in text and left out in JSON.',
    {
      terms: [
        ["time", "When the request arrived (UTC)"],
        ["id", "The connection; its requests share it"],
        ["client", "The client's address; unix: for a Unix socket"],
        ["user", "The user who was let in"],
        ["protocol", "What the client speaks"],
        ["method", "The HTTP method; CONNECT for every tunnel, UDP for an association"],
        ["target", "The URI, or HOST:PORT of a tunnel or of the first datagram"],
        ["status", "The HTTP status or the SOCKS reply"],
        ["ending", "completed, refused, timed_out or aborted"],
        [
          "sent, received",
          "Bytes of bodies, tunnels and datagrams, to and from the target; in JSON bytes_sent and " +
          "bytes_received",
        ],
        ["targets", "Of an association: how many targets it had"],
        [
          "datagrams_sent, datagrams_received, datagrams_dropped",
          "Of an association: datagrams to targets, to the " +
          "client, and to nobody",
        ],
        [
          "duration, dns, dial, first_byte",
          "Milliseconds until the end, for the name, for connecting, until the first " +
          "byte of the answer; in JSON with _ms",
        ],
        ["route, dialed", "direct or the upstream, and the address that was dialed"],
        ["tried_user", "The name of a failed login, cut to 64 characters"],
        ["fault, reason", 'What went wrong, by its name (see "sluice help faults") and in words'],
      ],
    },
    "The first nine stand in this order, without names. Up to tried_user a line tells only what there is to tell.",
    "A line has less than 4,096 bytes, so lines of several workers never mix: 2,000 bytes of the target, and what is cut " +
    'ends in "...". The query of a target is left out behind its ?, since it often holds secrets; --log-query keeps ' +
    "it. The proxy's own pages have lines only with --log-pages.",
    "SIGHUP opens the file anew, as logrotate needs it. Records that nobody takes, such as those for a named pipe " +
    "without a reader, are counted, and standard error tells how many.",
    "Standard error has one line for what the proxy as a whole does: --log-level says how much. At debug it has stack " +
    "traces.",
  ],
  groups: ["Logs"],
};
