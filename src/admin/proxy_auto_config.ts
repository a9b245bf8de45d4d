/**
 * Proxy auto-configuration: what browsers ask for, to know what goes through the proxy.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import { protocolFor } from "../protocols/client_protocols.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import type { PageFacts } from "./facts.ts";

/**
 * The de facto standard of Netscape 2.0: everything through the proxy, but this machine itself. There is no way around
 * it when it is down: a browser that then went directly would tell more than its user wants.
 */
export function proxyAutoConfig(host: string, { listeners }: PageFacts): string {
  const proxies = listeners.flatMap(({ address, tls, scheme }) => {
    if ("path" in address) return [];
    const to = formatAuthority(reachableBy(host, address));
    const words = protocolFor(scheme).browserWords;
    return words ? [`${tls ? words.tls : words.plain} ${to}`] : [];
  });
  return `function FindProxyForURL(url, host) {
  if (/^(?:(?:.*\\.)?localhost|\\[?::1\\]?|127(?:\\.[0-9]{1,3}){3})\\.?$/i.test(host)) return "DIRECT";
  return ${JSON.stringify(proxies.join("; ") || "DIRECT")};
}
`;
}

/** A wildcard is no address to go to: whoever got here by a name gets to the proxy by it, too. */
function reachableBy(host: string, { host: bound, port }: TcpAddress): TcpAddress {
  const wildcard = bound === "0.0.0.0" || bound === "::";
  return { host: wildcard ? host || "127.0.0.1" : bound, port };
}
