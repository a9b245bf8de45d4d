/**
 * What hosts(5) and resolv.conf(5) say about a name. Node's queries to name servers read neither, and Bun's mix them
 * up.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Resolution } from "../src/runtime/contract.ts";
import { askBoth, askResolver, openResolver } from "./name_lookup.ts";

/** Asks the hosts file, then the name servers. The files are read each time, because they change with the network. */
export async function querySystem(host: string, over: AbortSignal): Promise<Resolution> {
  const names = searched(host, readLines("/etc/resolv.conf"));
  const addresses = listedAddresses(host);
  if (addresses.length > 0) return { addresses };
  const resolver = openResolver(over);
  let failure: unknown;
  for (const name of names) {
    try {
      return await askBoth((family) => askResolver(resolver, { host: name, family }));
    } catch (error) {
      failure = error;
      if (!/ENOTFOUND|ENODATA/.test((error as { code?: string }).code ?? "ENODATA")) break;
    }
  }
  throw failure;
}

/** The addresses of a name in the hosts file. Empty if the file cannot be read. */
export function listedAddresses(host: string): string[] {
  let lines: string[][];
  try {
    lines = readLines("/etc/hosts");
  } catch {
    return [];
  }
  const name = host.replace(/\.$/, "").toLowerCase();
  return lines.filter(([address, ...names]) =>
    isIP(address) !== 0 && names.some((known) => known.toLowerCase() === name)
  ).map(([address]) => address);
}

/**
 * The names to ask for, in this order. A name with fewer than `ndots` dots is first looked for in the search domains.
 */
function searched(host: string, lines: readonly string[][]): string[] {
  if (host.endsWith(".")) return [host];
  let domains: string[] = [];
  let ndots = 1;
  for (const [keyword, ...values] of lines) {
    // The last such line counts; `domain` is like `search` with a single value.
    if (keyword === "search" || keyword === "domain") domains = values;
    if (keyword !== "options") continue;
    for (const option of values) if (/^ndots:\d+$/.test(option)) ndots = Number(option.slice(6));
  }
  const inDomains = domains.map((domain) => `${host}.${domain.replace(/^\.|\.$/g, "")}`);
  const dots = host.split(".").length - 1;
  return dots >= ndots ? [host, ...inDomains] : [...inDomains, host];
}

function readLines(path: string): string[][] {
  return readFileSync(path, "utf8").split("\n").map((line) => line.replace(/[#;].*/, "").trim().split(/\s+/));
}
