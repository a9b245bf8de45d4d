/**
 * Keys that connections share if they lead the same way.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import type { Chain } from "./upstream.ts";
import { protocolOf, takesRequests } from "./upstream_schemes.ts";

/** A chain stays the same object while it is configured, so it is written out only once. */
const KEYS = new WeakMap<Chain, string>();

/** A key for a chain, with all parameters of its upstreams, including passwords. For maps only; never show it. */
export function chainKey(chain: Chain): string {
  const key = KEYS.get(chain) ?? JSON.stringify(chain);
  KEYS.set(chain, key);
  return key;
}

/**
 * A key for the other end of a client's connection: the target, or an HTTP proxy that serves any target. An upstream
 * may have been told the client's address (PROXY protocol), so connections kept by this key are for one client.
 */
export function routeKey(chain: Chain, target: TcpAddress): string {
  if (chain.length === 0) return formatAuthority(target);
  const key = chainKey(chain);
  return takesRequests(chain[chain.length - 1]) ? key : `${key} ${formatAuthority(target)}`;
}

/** Whether the last upstream gets names. Otherwise this proxy resolves them, and the upstream gets addresses. */
export function resolvesRemotely(chain: Chain): boolean {
  const last = chain.at(-1);
  return last !== undefined && protocolOf(last).asksFor === "name";
}
