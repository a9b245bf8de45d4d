/**
 * The options that say by which proxies targets are reached.
 *
 * @module
 */

import { UPSTREAM_PROTOCOLS } from "../dialing/upstream_schemes.ts";
import { parseChain } from "../dialing/upstream.ts";
import { anyOf } from "../text/word_list.ts";
import { TEXT } from "../settings/kinds.ts";
import { type OptionsFor, RUNS_PROXY } from "../settings/option.ts";

/** Schemes of proxies. At the other end of a Unix socket is a target. */
const SCHEMES = UPSTREAM_PROTOCOLS.filter(({ connect }) => connect).map(({ name }) => name);

/** By which proxies targets are reached. */
export interface UpstreamOptions {
  /**
   * The upstreams that lead to targets, such as `http://USER:PASSWORD@HOST:PORT` or `socks5h://127.0.0.1:1080`. Commas stand
   * between those of a chain. Of several in a list, the first that works is taken. By default targets are dialed directly.
   */
  readonly proxy?: string | readonly string[];
  /** Targets that are dialed directly, past the upstreams, as in the environment variable NO_PROXY. None by default. */
  readonly noProxy?: string;
}

/** The rows, in the order of the help. */
export const UPSTREAM_OPTIONS = {
  "proxy": {
    ...TEXT,
    group: "Upstreams",
    short: "x",
    synonyms: ["upstream", "parent", "via"],
    value: "ENDPOINT",
    help:
      `Where targets are reached by: [SCHEME://][USER:PASSWORD@]HOST:PORT of ${
        anyOf(SCHEMES)
      }, unix:PATH, or direct. A,B is a chain; repeated, the first that works is taken. ` +
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
} as const satisfies OptionsFor<keyof UpstreamOptions>;

/** An upstream or a chain of them, which is checked and left as it is. */
function readUpstream(text: string): string {
  parseChain(text);
  return text;
}
