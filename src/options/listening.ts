/**
 * The options that say where the proxy listens.
 *
 * @module
 */

import { DEFAULT_ENDPOINT, parseEndpoint } from "../listeners/endpoint.ts";
import { SWITCH, TEXT } from "../settings/kinds.ts";
import type { Option } from "../settings/option.ts";
import { UsageError } from "../text/usage_error.ts";

/** An endpoint of a listener, which is checked and left as it is. */
const ENDPOINT = { ...TEXT, value: "ENDPOINT", read: readEndpoint };

/** The rows, in the order of the help. */
export const LISTENING_OPTIONS = {
  "listen": {
    ...ENDPOINT,
    group: "Listening",
    short: "l",
    synonyms: ["port", "p", "bind", "address", "host", "addr"],
    help:
      "Where to listen: [SCHEME://]HOST:PORT or unix:PATH. SCHEME is auto, http, socks4, socks5 or line; with " +
      "+tls and ?cert=FILE&key=FILE over TLS. Port 0 takes a free one. May be repeated",
    default: [DEFAULT_ENDPOINT],
    repeatable: true,
    setting: "listen",
    reload: false,
  },
  "admin": {
    ...ENDPOINT,
    group: "Listening",
    help:
      "A listener for the proxy's own pages alone: /, /healthz, /metrics, /proxy.pac. Clients of this machine " +
      "see them on the proxy's own port, too. See --log-pages",
    unset: "none",
    setting: "admin",
    reload: false,
  },
  "workers": {
    ...TEXT,
    group: "Listening",
    value: "N",
    help:
      "How many processes (threads on Deno, which needs -R for them) serve the TCP listeners side by side, or " +
      "auto: one per processor. Limits are for all of them together. A Unix socket is served by one",
    default: 1,
    reload: false,
    read: readWorkers,
  },
  "allow-open": {
    ...SWITCH,
    group: "Listening",
    help: "Listen where others than the user of this machine can come (another address than loopback, " +
      "?proxy-protocol=, ?mode= of a Unix socket), although anyone may then use the proxy",
    default: false,
    setting: "allowOpen",
    reload: false,
  },
} as const satisfies Record<string, Option>;

function readEndpoint(text: string): string {
  parseEndpoint(text);
  return text;
}

/** Beyond this nobody gains anything. */
const MAX_WORKERS = 256;

/** How many workers; "auto" for one per processor. */
function readWorkers(text: string): number | "auto" {
  if (text === "auto") return text;
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_WORKERS) return count;
  throw new UsageError(`Invalid number of workers "${text}": give 1 to ${MAX_WORKERS}, or "auto"`);
}
