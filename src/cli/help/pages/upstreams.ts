/**
 * Upstreams: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    {
      lines: `sluice -x http://proxy.example:3128
sluice -x socks5h://127.0.0.1:9050,https://proxy.example # a chain
sluice -x http://a.example:3128 -x http://b.example:81 # the first that works
sluice -x unix:/run/docker.sock                          # an HTTP server
sluice --route '*.onion via socks5h://127.0.0.1:9050' --no-proxy localhost`,
    },
    "An upstream is [SCHEME://][USER:PASSWORD@]HOST[:PORT]. User and password are percent-encoded; a comma is %2C. Other " +
    "programs of this machine can see arguments: SLUICE_PROXY is the safer place for a password.",
    {
      terms: [
        ["http, https", "An HTTP proxy, without or with TLS to it; http where no scheme is given"],
        ["socks4, socks5", "SOCKS with an address: sluice resolves the name"],
        ["socks4a, socks5h", "SOCKS with a name: the upstream resolves it"],
        ["line", "One line HOST:PORT, then raw bytes"],
        ["unix:PATH", "No proxy: the HTTP server on this Unix socket is every target"],
        ["SCHEME://unix:PATH", "A proxy that listens on a Unix socket"],
        ["direct", "No upstream"],
      ],
    },
    "Parameters: token=FILE is a bearer token for http and https; proxy-protocol=v1 or v2 tells the upstream of the " +
    'client. Those of TLS are in "sluice help tls".',
    "In --no-proxy a name stands for itself and what is under it; *.corp.example is only what is under it.",
    { heading: "Failover" },
    "Of several upstreams, sluice takes the first that works. One that fails is asked a question of its own before it " +
    "counts as failed, and later ones take its place until it works again.",
    { heading: "Cut networks" },
    "Tunnels through an upstream notice within 30 seconds when the network to it is cut. While all of them are silent, " +
    "sluice opens a second connection to the upstream every ten seconds and closes it without a word. When that fails, " +
    "the silent tunnels end, and the access log says why.",
    { heading: "Loops" },
    "Proxies that send everything to each other are found out by HTTP at once. SOCKS and line tell nothing of it. So no " +
    "more than 64 connections to the same target through one upstream wait for their first answer. Further requests " +
    "wait for three quarters of --connect-timeout and are then refused, with a warning in the log.",
  ],
  groups: ["Upstreams"],
};
