/**
 * The fields that tell for whom a request was forwarded (RFC 7239, and X-Forwarded-For before it).
 *
 * Off by default: an origin has no need to know the addresses of a proxy's clients.
 *
 * @module
 */

import type { Address } from "../../runtime/contract.ts";
import type { ForwardedMode } from "../../settings/http.ts";
import { type Fields, writtenLine } from "./fields.ts";
import { type KnownName, type Names, namesOf } from "./names.ts";

/** The client, and how much of it the next server is told. */
export interface ForwardedOptions {
  readonly mode: ForwardedMode;
  readonly client: Address;
}

/** The fields that tell for whom a request was forwarded. */
export const FORWARDED_FIELDS: Names = namesOf("forwarded", "x-forwarded-for");

/**
 * The lines that the mode adds, in place of those that tell of other clients. Fields that are `dropped` count for
 * nothing.
 */
export function forwardedLines(fields: Fields, { mode, client }: ForwardedOptions, dropped: Names): string {
  if (mode === "keep" || mode === "delete") return "";
  const told = (key: KnownName, element: string) =>
    mode === "append" && (dropped & namesOf(key)) === 0 ? fields.listWith(key, element) : element;
  return writtenLine({ name: "Forwarded", value: told("forwarded", `for=${node(client)};proto=http`) }) +
    writtenLine({ name: "X-Forwarded-For", value: told("x-forwarded-for", bare(client)) });
}

/** RFC 7239 section 6: an IPv6 address is in brackets, and therefore quoted. A client on a Unix socket is `unknown`. */
function node(client: Address): string {
  if ("path" in client) return "unknown";
  return client.host.includes(":") ? `"[${client.host}]"` : client.host;
}

function bare(client: Address): string {
  return "path" in client ? "unknown" : client.host;
}
