/**
 * Authentication of a connection, and not of each request: NTLM, and Negotiate (RFC 4559).
 *
 * If another client's request went over that connection, the origin would take it for the authenticated client's.
 *
 * @module
 */

import type { Fields } from "./fields.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

/** The names of such schemes, at the beginning of a field's value or of a challenge in its list. */
const BINDING = /(?:^|,)[ \t]*(ntlm|negotiate)(?=[ \t,]|$)/i;

/** The schemes that this proxy speaks itself. */
const OURS = /(?:^|,)[ \t]*(?:basic|bearer)(?=[ \t,]|$)/i;

/** The first scheme in a field that authenticates a connection. Undefined if there is none. */
export function bindingScheme(fields: Fields, name: string): string | undefined {
  if (!fields.has(name)) return undefined;
  for (const value of fields.all(name)) {
    const scheme = BINDING.exec(value)?.[1];
    if (scheme) return scheme.toLowerCase() === "ntlm" ? "NTLM" : "Negotiate";
  }
  return undefined;
}

/** Whether an origin may have authenticated a connection with this request, or begins to. */
export function bindsConnection(request: RequestHead, response: ResponseHead): boolean {
  return bindingScheme(response.fields, "www-authenticate") !== undefined ||
    bindingScheme(request.fields, "authorization") !== undefined;
}

/** The scheme that a proxy asks for, if this proxy speaks none of those on offer. */
export function foreignScheme(fields: Fields): string | undefined {
  if (fields.all("proxy-authenticate").some((value) => OURS.test(value))) return undefined;
  return bindingScheme(fields, "proxy-authenticate");
}
