/**
 * Addresses in the contract's form, and as messages show them.
 *
 * @module
 */

import type { Address, TcpAddress } from "../src/runtime/contract.ts";

/** The unnamed end of a Unix socket. */
export const UNNAMED: Address = { path: "" };

/** An address in the contract's form: without a zone, and IPv4 clients of an IPv6 listener as IPv4. */
export function tcpAddress(host: string, port: number): TcpAddress {
  return { host: host.replace(/^::ffff:(?=\d+\.)|%.*$/g, ""), port };
}

/** An address as messages show it. */
export function show(address: Address): string {
  if ("path" in address) return `"unix:${address.path}"`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `"${host}:${address.port}"`;
}
