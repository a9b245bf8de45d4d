/**
 * The options about upstreams.
 *
 * @module
 */

import { UPSTREAM_PROTOCOLS } from "../dialing/upstream_schemes.ts";
import { maskChain, parseChain, placeChain } from "../dialing/upstream.ts";
import { anyOf } from "../text/word_list.ts";
import { TEXT } from "../settings/kinds.ts";
import { type OptionsFor, RUNS_PROXY } from "../settings/option.ts";

/** The schemes of proxies. `unix:` is not one: the program at its other end is the target. */
const SCHEMES = UPSTREAM_PROTOCOLS.filter(({ connect }) => connect).map(({ name }) => name);

/** The upstreams that requests go through. */
export interface UpstreamOptions {
  /**
   * The upstreams to go through, such as `http://USER:PASSWORD@HOST:PORT` or `socks5h://127.0.0.1:1080`. Commas separate
   * the upstreams of a chain. From a list, the proxy takes the first that works. By default targets are dialed directly.
   */
  readonly proxy?: string | readonly string[];
  /** Targets to dial directly, not through upstreams. Written as in the environment variable NO_PROXY. None by default. */
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
    inFile: placeChain,
    masked: maskChain,
  },
  "no-proxy": {
    ...TEXT,
    group: "Upstreams",
    value: "LIST",
    help:
      "Targets that are reached directly, as in the environment variable NO_PROXY: example.com and .example.com " +
      "are that name and what is under it, *.example.com is what is under it alone",
    unset: "none",
    listed: true,
    setting: "noProxy",
    reload: true,
  },
} as const satisfies OptionsFor<keyof UpstreamOptions>;

/** Checks an upstream or a chain of them, and returns the text unchanged. */
function readUpstream(text: string): string {
  parseChain(text);
  return text;
}
