/**
 * Proxy auto-configuration: the file that tells browsers which requests go through the proxy.
 *
 * @module
 */

import { formatAuthority } from "../addresses/host.ts";
import { protocolFor } from "../protocols/client_protocols.ts";
import type { TcpAddress } from "../runtime/contract.ts";
import type { PageFacts } from "./facts.ts";

/**
 * The file, in the format that Netscape 2.0 introduced. All requests go through the proxy, except those to this
 * machine. Browsers do not connect directly when the proxy is down: that would reveal more than the user wants.
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

/** A browser cannot connect to a wildcard. It connects to the host at which it found this file. */
function reachableBy(host: string, { host: bound, port }: TcpAddress): TcpAddress {
  const wildcard = bound === "0.0.0.0" || bound === "::";
  return { host: wildcard ? host || "127.0.0.1" : bound, port };
}
