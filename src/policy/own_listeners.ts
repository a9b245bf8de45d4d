/**
 * The proxy's own listeners are no targets: a request to them would come back here (RFC 9110 section 7.6).
 *
 * @module
 */

import { Fault } from "../faults.ts";
import { formatAuthority, parseIp } from "../protocols/host.ts";
import type { Address, TcpAddress } from "../runtime.ts";

/**
 * Throws `proxy_loop_detected` when an address, in whatever spelling, is one that we listen on.
 *
 * `local` is our end of the connection once it stands: where both ends have one address, the target is this
 * machine, whatever interface the address belongs to.
 */
export function refuseOwnListeners(
  address: TcpAddress,
  listeners: readonly Address[],
  local?: Address,
): void {
  for (const listener of listeners) {
    if ("path" in listener || listener.port !== address.port) continue;
    if (
      reaches(address.host, listener.host) || (local && "host" in local && sameHost(local.host, address.host))
    ) {
      throw new Fault("proxy_loop_detected", `${formatAuthority(address)} is a listener of this proxy`);
    }
  }
}

/** 0.0.0.0 and [::] mean every address of the machine to a listener, and loopback to whoever dials them. */
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

/** 127.0.0.0/8 (RFC 1122 section 3.2.1.3) and ::1. */
function isLoopback(host: string): boolean {
  const bytes = octets(host);
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((octet, i) => octet === (i === 15 ? 1 : 0));
}

/** An address as bytes, an IPv4-mapped one (RFC 4291 section 2.5.5.2) as the IPv4 address that it is. */
function octets(host: string): Uint8Array {
  const bytes = parseIp(host) ?? new Uint8Array([255]);
  const mapped = bytes.length === 16 && bytes.subarray(0, 12).join() === "0,0,0,0,0,0,0,0,0,0,255,255";
  return mapped ? bytes.subarray(12) : bytes;
}
