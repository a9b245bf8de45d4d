/**
 * The options that say by which proxies targets are reached.
 *
 * @module
 */

import { parseChain } from "../dialing/upstream.ts";
import { TEXT } from "../settings/kinds.ts";
import { type Option, RUNS_PROXY } from "../settings/option.ts";

/** The rows, in the order of the help. */
export const UPSTREAM_OPTIONS = {
  "proxy": {
    ...TEXT,
    group: "Upstreams",
    short: "x",
    synonyms: ["upstream", "parent", "via"],
    value: "ENDPOINT",
    help:
      "Where targets are reached by: [SCHEME://][USER:PASSWORD@]HOST:PORT of http, https, socks4, socks4a, " +
      "socks5, socks5h or line, unix:PATH, or direct. A,B is a chain; repeated, the first that works is taken. " +
      "Other programs of this machine can see flags: SLUICE_PROXY is the safer place",
    unset: "none",
    repeatable: true,
    separator: ";",
    commands: [...RUNS_PROXY, "check"],
    setting: "proxy",
    reload: true,
    read: readUpstream,
  },
  "no-proxy": {
    ...TEXT,
    group: "Upstreams",
    value: "LIST",
    help:
      "Targets that are reached directly, as in the environment variable NO_PROXY: example.com and .example.com " +
      "are that name and what is under it, *.example.com is what is under it alone",
    unset: "none",
    setting: "noProxy",
    reload: true,
  },
} as const satisfies Record<string, Option>;

/** An upstream or a chain of them, which is checked and left as it is. */
function readUpstream(text: string): string {
  parseChain(text);
  return text;
}
