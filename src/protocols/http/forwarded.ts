/**
 * The fields that tell for whom a request was forwarded (RFC 7239, and X-Forwarded-For before it).
 *
 * Off by default: an origin has no need to know the addresses of a proxy's clients.
 *
 * @module
 */

import type { Address } from "../../runtime/contract.ts";
import type { ForwardedMode } from "../../settings/http.ts";
import { Fields } from "./fields.ts";

/** The client, and how much of it the next server is told. */
export interface ForwardedOptions {
  readonly mode: ForwardedMode;
  readonly client: Address;
}

const FORWARDED = "forwarded";
const X_FORWARDED_FOR = "x-forwarded-for";

/** Whether a field tells for whom a request was forwarded. `key` is its name in lower case. */
export function isForwardedField(key: string): boolean {
  return key === FORWARDED || key === X_FORWARDED_FOR;
}

/** The header section that the mode asks for. */
export function forwardedFor(
  fields: Fields,
  { mode, client }: ForwardedOptions,
): Fields {
  if (mode === "keep") return fields;
  const others = fields.filter((key) => !isForwardedField(key));
  if (mode === "delete") return others;
  const before = mode === "append" ? fields : new Fields();
  others.append("Forwarded", before.listWith(FORWARDED, `for=${node(client)};proto=http`));
  others.append("X-Forwarded-For", before.listWith(X_FORWARDED_FOR, bare(client)));
  return others;
}

/** RFC 7239 section 6: an IPv6 address is in brackets, and therefore quoted. A client on a Unix socket is `unknown`. */
function node(client: Address): string {
  if ("path" in client) return "unknown";
  return client.host.includes(":") ? `"[${client.host}]"` : client.host;
}

function bare(client: Address): string {
  return "path" in client ? "unknown" : client.host;
}
