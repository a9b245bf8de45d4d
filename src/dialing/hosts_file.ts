/**
 * Files in the form of hosts(5): an address and its names on each line.
 *
 * @module
 */

import { formatIpv6, parseHost, parseIp } from "../addresses/host.ts";
import { UsageError } from "../text/usage_error.ts";

/** How many bad lines a message lists. */
const MAX_COMPLAINTS = 10;

/**
 * Reads the text of a hosts file. Returns the addresses of each name, in their order; names are in lower case and have
 * no last dot. A name may stand on several lines. A `#` begins a comment. `name` is the file's name, for messages.
 *
 * @throws {UsageError} With a line for each bad line, `NAME:LINE: …`, up to ten.
 *
 * @example
 * ```ts
 * import { createProxy, parseHosts } from "sluice";
 *
 * const hosts = parseHosts("192.0.2.1 db.test db # the database", "hosts.txt");
 * hosts.get("db"); // ["192.0.2.1"]
 * const proxy = await createProxy({ listen: "127.0.0.1:0", hosts });
 * await proxy.close();
 * ```
 */
export function parseHosts(text: string, name: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  const complaints: string[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    // `trim()` also removes a byte order mark.
    const [address, ...names] = line.replace(/#.*$/s, "").trim().split(/\s+/);
    if (address === "") continue;
    const complaint = complaintOf(address, names);
    if (complaint) complaints.push(`${name}:${i + 1}: ${complaint}`);
    else for (const host of names) add(hosts, host, address);
  }
  if (complaints.length === 0) return hosts;
  const more = complaints.length - MAX_COMPLAINTS;
  const shown = complaints.slice(0, MAX_COMPLAINTS);
  if (more > 0) shown.push(`${name}: ${more} more ${more === 1 ? "line is" : "lines are"} invalid`);
  throw new UsageError(shown.join("\n"));
}

function complaintOf(address: string, names: readonly string[]): string | undefined {
  if (!parseIp(address)) return `"${address}" is no IP address: a line is an address and its names`;
  if (names.length === 0) return `The address "${address}" has no name`;
  const bad = names.find((host) => !parseHost(host) || parseIp(host));
  return bad === undefined ? undefined : `"${bad}" is no host name`;
}

function add(hosts: Map<string, string[]>, host: string, text: string): void {
  const address = text.includes(":") ? formatIpv6(parseIp(text)!) : text;
  const key = hostKey(host);
  const addresses = hosts.get(key);
  if (!addresses) hosts.set(key, [address]);
  else if (!addresses.includes(address)) addresses.push(address);
}

/** A name in the form that is compared: in lower case (RFC 4343), without the dot of the root. */
export function hostKey(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}
