/**
 * Where the proxy listens: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "A listener is an endpoint: [SCHEME://]HOST:PORT or unix:PATH. Give --listen once for each. Without a scheme it " +
    "finds out by the first byte whether a client speaks HTTP, SOCKS4 or SOCKS5.",
    {
      terms: [
        ["127.0.0.1:8899", "Every protocol, for programs of this machine: the default"],
        ["8899, :8899", "The same: without a host it is 127.0.0.1"],
        ["[::]:8899, 0.0.0.0:8899", "Every address of this machine; see EXPOSED below"],
        ["127.0.0.1:0", 'A free port, which the line "listening on ..." tells'],
        ["http://, socks4://, socks5://", "That protocol alone"],
        ["line://127.0.0.1:9000", "One line HOST:PORT, then raw bytes. Nobody is asked who they are"],
        ["auto+tls://0.0.0.0:8443", 'Every protocol over TLS: see "sluice help tls"'],
        [
          "unix:/run/sluice.sock",
          "A Unix socket, for its owner alone. A file that a dead proxy left is replaced",
        ],
      ],
    },
    "Parameters stand behind a question mark, with & between them:",
    {
      terms: [
        ["mode=0660", "The permissions of a Unix socket's file"],
        [
          "proxy-protocol=10.0.0.0/8",
          "A load balancer at these addresses passes clients on. It must send the PROXY " +
          "protocol, version 1 or 2; from other addresses nobody is served",
        ],
        ["cert, key, client-ca, min-tls", 'See "sluice help tls"'],
      ],
    },
    {
      lines: `sluice -l 127.0.0.1:3128 -l unix:/run/user/1000/sluice.sock
sluice -l http://0.0.0.0:80?proxy-protocol=10.0.0.0/8 --users-file users`,
    },
    { heading: "Exposed listeners" },
    "A listener is exposed where others than the user of this machine can come: it listens beyond loopback, it trusts a " +
    "load balancer, or its mode lets others connect to a Unix socket. Such a listener wants users (--users-file), " +
    "addresses of clients (--allow-client), or --allow-open. Otherwise sluice does not start, and says why. While a " +
    'listener is exposed, clients cannot reach private addresses: see "sluice help rules".',
    { heading: "Descriptors" },
    "A connection takes a file descriptor, a tunnel takes two. Where the runtime can tell the limit (ulimit -n), sluice " +
    "keeps its connections below it. Deno with -N alone cannot: set --max-connections there.",
  ],
  groups: ["Listening"],
};
