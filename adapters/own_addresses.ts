/**
 * The addresses of this machine's interfaces, from `node:os`.
 *
 * @module
 */

import { networkInterfaces } from "node:os";

/** See `Runtime.ownAddresses`. */
export function ownAddresses(name?: string): string[] {
  const interfaces = networkInterfaces();
  const meant = name === undefined ? Object.values(interfaces) : [interfaces[name]];
  return meant.flatMap((addresses = []) => addresses.map(({ address }) => address.replace(/%.*$/, "")));
}
