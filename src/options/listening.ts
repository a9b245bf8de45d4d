/**
 * The options that say where the proxy listens.
 *
 * @module
 */

import {
  DEFAULT_ENDPOINT,
  LISTENER_SCHEMES,
  LISTENER_TABLE,
  parseEndpoint,
  placeEndpoint,
} from "../listeners/endpoint.ts";
import { Tokens } from "../policy/tokens.ts";
import { FILE, SWITCH, TEXT } from "../settings/kinds.ts";
import { MASK, type OptionsFor, RUNS_PROXY } from "../settings/option.ts";
import { UsageError } from "../text/usage_error.ts";
import { anyOf } from "../text/word_list.ts";

/** An endpoint of a listener: checked here, and parsed by the library. */
const ENDPOINT = {
  ...TEXT,
  value: "ENDPOINT",
  read: readEndpoint,
  schema: { type: ["string", "integer"] },
  table: LISTENER_TABLE,
  inFile: placeEndpoint,
} as const;

/** Where a proxy listens. */
export interface ListeningOptions {
  /**
   * Where to listen: endpoints such as `127.0.0.1:8899`, `socks5://[::1]:1080`, `unix:/run/proxy.sock`. Port 0 takes a free
   * port. `127.0.0.1:8899` by default. With an empty list there is no listener, and clients come by `Proxy.handle` alone.
   */
  readonly listen?: string | readonly string[];
  /** A listener for the proxy's own pages alone: its status, metrics and health. None by default. */
  readonly admin?: string;
  /**
   * The token that lets somebody change things on the admin listener, such as close connections
   * (`Authorization: Bearer TOKEN`). It needs 256 bits, in base64. Nobody may by default.
   */
  readonly adminToken?: string;
  /**
   * Lets everybody use an exposed listener; false by default. A listener is exposed if others than the user of this
   * machine can connect to it: it listens beyond loopback, it trusts a load balancer to pass clients on
   * (`proxy-protocol=`), or its `mode` lets others connect to a Unix socket. An exposed listener needs this option, or one
   * that says who may use the proxy: `authenticate`, `users`, `tokens` or `allowClients`. `Proxy.handle` exposes nothing.
   */
  readonly allowOpen?: boolean;
}

/** The rows, in the order of the help. */
export const LISTENING_OPTIONS = {
  "listen": {
    ...ENDPOINT,
    group: "Listening",
    short: "l",
    synonyms: ["port", "p", "bind", "address", "host", "addr"],
    help: `Where to listen: [SCHEME://]HOST:PORT or unix:PATH. SCHEME is ${anyOf(LISTENER_SCHEMES)}; with ` +
      "+tls and ?cert=FILE&key=FILE over TLS. Port 0 takes a free one. May be repeated",
    default: [DEFAULT_ENDPOINT],
    repeatable: true,
    setting: "listen",
    reload: true,
  },
  "admin": {
    ...ENDPOINT,
    group: "Listening",
    help:
      "A listener for the proxy's own pages alone: /, /healthz, /metrics, /proxy.pac. Clients of this machine " +
      "see them on the proxy's own port, too. See --log-pages",
    unset: "none",
    setting: "admin",
    reload: true,
  },
  "admin-token": {
    ...TEXT,
    group: "Listening",
    value: "TOKEN",
    help:
      "Who gives this token may change things on the admin listener, such as close connections or read everything anew. Make one with " +
      '"openssl rand -base64 32". Other programs of this machine can see flags: SLUICE_ADMIN_TOKEN is the safer place',
    unset: "nothing can be changed there",
    setting: "adminToken",
    reload: true,
    read: readAdminToken,
    masked: () => MASK,
    commands: [...RUNS_PROXY, "top"],
  },
  "admin-token-file": {
    ...FILE,
    group: "Listening",
    help: "The same token in a file. Read again at SIGHUP",
    unset: "none",
    reload: true,
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
    schema: { type: ["integer", "string"], pattern: "^(auto|[0-9]+)$", minimum: 1 },
  },
  "allow-open": {
    ...SWITCH,
    group: "Listening",
    help: "Listen where others than the user of this machine can come (another address than loopback, " +
      "?proxy-protocol=, ?mode= of a Unix socket), although anyone may then use the proxy",
    default: false,
    setting: "allowOpen",
    reload: true,
  },
} as const satisfies OptionsFor<keyof ListeningOptions>;

function readEndpoint(text: string): string {
  parseEndpoint(text);
  return text;
}

/** Checks a token, and returns the text unchanged. */
export function readAdminToken(text: string): string {
  new Tokens([text]);
  return text;
}

/** More workers gain nothing. */
const MAX_WORKERS = 256;

/** Reads a number of workers; "auto" is one per processor. */
function readWorkers(text: string): number | "auto" {
  if (text === "auto") return text;
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MAX_WORKERS) return count;
  throw new UsageError(`Invalid number of workers "${text}": give 1 to ${MAX_WORKERS}, or "auto"`);
}
