/**
 * The proxy's own listeners are no targets: a request to them would come back here (RFC 9110 section 7.6).
 *
 * @module
 */

import { Fault } from "../faults.ts";
import { formatAuthority, isLoopback, parseIp, unmapped } from "../addresses/host.ts";
import type { Address, TcpAddress } from "../runtime/contract.ts";

/**
 * Throws `proxy_loop_detected` if we listen on an address, however it is spelled.
 *
 * `ours` is our end of an open connection. If both ends have the same address, the target is this machine, whatever
 * interface has the address.
 */
export function refuseOwnListeners(
  address: TcpAddress,
  listeners: readonly Address[],
  ours?: { readonly local: Address },
): void {
  for (const listener of listeners) {
    if ("path" in listener || listener.port !== address.port) continue;
    const local = ours?.local;
    if (
      reaches(address.host, listener.host) || (local && "host" in local && sameHost(local.host, address.host))
    ) {
      throw new Fault("proxy_loop_detected", `${formatAuthority(address)} is a listener of this proxy`);
    }
  }
}

/** To a listener, 0.0.0.0 and [::] mean every address of the machine. To a program that dials, they mean loopback. */
function reaches(dialed: string, listening: string): boolean {
  if (sameHost(dialed, listening)) return true;
  if (isUnspecified(dialed)) return isUnspecified(listening) || isLoopback(listening);
  return isUnspecified(listening) && isLoopback(dialed);
}

function sameHost(a: string, b: string): boolean {
  return octets(a).join() === octets(b).join();
}

function isUnspecified(host: string): boolean {
  return octets(host).every((octet) => octet === 0);
}

function octets(host: string): Uint8Array {
  return unmapped(parseIp(host) ?? new Uint8Array([255]));
}
