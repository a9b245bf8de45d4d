/**
 * The flags that say where the proxy listens.
 *
 * @module
 */

import { DEFAULT_ENDPOINT } from "../../listeners/endpoint.ts";
import type { Flag } from "./flag.ts";
import { readEndpoint, readName, readSwitch, readWorkers } from "./values.ts";

/** Name → flag, in the order of the help. */
export const LISTENING_FLAGS = {
  "listen": {
    group: "Listening",
    short: "l",
    synonyms: ["port", "p", "bind", "address", "host", "addr"],
    value: "ENDPOINT",
    help:
      "Where to listen: [SCHEME://]HOST:PORT or unix:PATH. SCHEME is auto, http, socks4, socks5 or line; with " +
      "+tls and ?cert=FILE&key=FILE over TLS. Port 0 takes a free one. May be repeated",
    fallback: DEFAULT_ENDPOINT,
    repeatable: true,
    read: readEndpoint,
  },
  "admin": {
    group: "Listening",
    value: "ENDPOINT",
    help:
      "A listener for the proxy's own pages alone: /, /healthz, /metrics, /proxy.pac. Clients of this machine " +
      "see them on the proxy's own port, too. See --log-pages",
    read: readEndpoint,
  },
  "workers": {
    group: "Listening",
    value: "N",
    help:
      "How many processes (threads on Deno, which needs -R for them) serve the TCP listeners side by side, or " +
      "auto: one per processor. Limits are for all of them together. A Unix socket is served by one",
    fallback: "1",
    read: readWorkers,
  },
  "allow-open": {
    group: "Listening",
    help: "Listen where others than the user of this machine can come (another address than loopback, " +
      "?proxy-protocol=, ?mode= of a Unix socket), although anyone may then use the proxy",
    fallback: "false",
    read: readSwitch,
  },
  "name": {
    group: "Listening",
    value: "NAME",
    help: "What the proxy calls itself in Via and Proxy-Status (a random name)",
    read: readName,
  },
} as const satisfies Record<string, Flag>;
