/**
 * The addresses of this machine's interfaces, from `node:os`.
 *
 * @module
 */

import { networkInterfaces } from "node:os";

/** See `Runtime.ownAddresses`. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address.replace(/%.*$/, ""))
  );
}
