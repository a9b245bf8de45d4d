/**
 * What connections have in common that lead the same way.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import type { Chain } from "./upstream.ts";
import { protocolOf, takesRequests } from "./upstream_schemes.ts";

/** A chain is an object for as long as it is configured, so it is written out only once. */
const KEYS = new WeakMap<Chain, string>();

/** Names a chain with all that is told of its upstreams, passwords too: for maps alone, never for people. */
export function chainKey(chain: Chain): string {
  const key = KEYS.get(chain) ?? JSON.stringify(chain);
  KEYS.set(chain, key);
  return key;
}

/**
 * Names the other end of a client's connection: the target, or the HTTP proxy that is asked for whatever target. An
 * upstream may have been told whose connection it is (PROXY protocol), so what is kept by this key is for one client.
 */
export function routeKey(chain: Chain, target: TcpAddress): string {
  if (chain.length === 0) return formatAuthority(target);
  const key = chainKey(chain);
  return takesRequests(chain[chain.length - 1]) ? key : `${key} ${formatAuthority(target)}`;
}

/** Whether the last upstream is sent names, and not the addresses that they resolve to here. */
export function resolvesRemotely(chain: Chain): boolean {
  const last = chain.at(-1);
  return last !== undefined && protocolOf(last).asksFor === "name";
}
