/**
 * Who a request was forwarded for (RFC 7239, and X-Forwarded-For before it).
 *
 * Off unless asked for: an origin has no need to know where a proxy's clients are.
 *
 * @module
 */

import type { Address } from "../../runtime/contract.ts";
import type { ForwardedMode } from "../../settings/http.ts";
import { Fields } from "./fields.ts";

/** What is told of a client, and which. */
export interface ForwardedOptions {
  readonly mode: ForwardedMode;
  readonly client: Address;
}

const FORWARDED = "forwarded";
const X_FORWARDED_FOR = "x-forwarded-for";

/** Whether a field, by its name in lower case, tells who a request was forwarded for. */
export function isForwardedField(key: string): boolean {
  return key === FORWARDED || key === X_FORWARDED_FOR;
}

/** The header section as the mode would have it. */
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

/** RFC 7239 section 6: an IPv6 address in brackets, and quoted for them; `unknown` behind a Unix socket. */
function node(client: Address): string {
  if ("path" in client) return "unknown";
  return client.host.includes(":") ? `"[${client.host}]"` : client.host;
}

function bare(client: Address): string {
  return "path" in client ? "unknown" : client.host;
}
