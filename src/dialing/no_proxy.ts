/**
 * Targets that are reached directly, past the upstreams, in the form of the environment variable NO_PROXY.
 *
 * @module
 */

import { asciiName } from "../addresses/ascii_name.ts";
import {
  blockContains,
  type IpBlock,
  parseIpAddress,
  parseIpBlock,
  suggestIpBlock,
} from "../addresses/ip_block.ts";
import type { TcpAddress } from "../runtime/contract.ts";

interface Pattern {
  readonly matches: (host: string) => boolean;
  readonly port: number | undefined;
}

/**
 * Makes a test of targets from patterns with commas or white space between them, as curl reads them. `*` matches
 * everything. `example.com` and `.example.com` match that name and all names under it. An IP address or a block
 * (`10.0.0.0/8`) matches targets that are IP addresses. Each pattern may end with `:PORT`; an IPv6 address is then in
 * brackets. Names are never resolved, and an invalid pattern matches nothing.
 *
 * `*.example.com` matches the names under that name and not the name itself, as in rules and in Go; curl ignores it.
 * Names are compared as A-labels, so `bücher.example` equals `xn--bcher-kva.example`.
 *
 * @example
 * ```ts
 * const direct = noProxy("localhost,.corp.example,10.0.0.0/8");
 * direct({ host: "git.corp.example", port: 443 }); // true
 * ```
 */
export function noProxy(patterns: string): (target: TcpAddress) => boolean {
  const parsed = patterns.split(/[\s,]+/).filter((text) => text !== "").map(parsePattern);
  if (parsed.length === 0) return () => false;
  return ({ host, port }) => {
    const name = asciiName(host) ?? host;
    return parsed.some((pattern) => (pattern.port ?? port) === port && pattern.matches(name));
  };
}

function parsePattern(text: string): Pattern {
  const [, bracketed, prefix, bare, port] =
    /^(?:\[([^\]]*)\](\/[0-9]+)?|([^:]*))(?::([0-9]+))?$/.exec(text) ?? [];
  const host = bracketed === undefined ? bare ?? text : bracketed + (prefix ?? "");
  return { matches: matcher(host), port: port === undefined ? undefined : Number(port) };
}

function matcher(text: string): Pattern["matches"] {
  if (text === "*") return () => true;
  const block = blockOf(text);
  if (block) {
    return (host) => {
      const address = parseIpAddress(host);
      return address !== undefined && blockContains(block, address);
    };
  }
  const [, prefix, rest] = /^(\*\.|\.?)(.*)$/s.exec(text)!;
  const name = asciiName(rest);
  if (name === undefined) return () => false;
  const ending = `.${name}`;
  return (host) => host.endsWith(ending) || (host === name && prefix !== "*.");
}

/** A block may be written with any of its addresses. */
function blockOf(text: string): IpBlock | undefined {
  return parseIpBlock(suggestIpBlock(text) ?? text);
}
