/**
 * Authentication that lets in a connection, and not each request by itself: NTLM, and Negotiate (RFC 4559).
 *
 * Every other client whose request went over that connection would go as the one who was let in.
 *
 * @module
 */

import type { Fields } from "./fields.ts";
import type { RequestHead, ResponseHead } from "./message.ts";

/** The names of such schemes, at the beginning of a field's value or of a challenge in its list. */
const BINDING = /(?:^|,)[ \t]*(ntlm|negotiate)(?=[ \t,]|$)/i;

/** The schemes that this proxy speaks itself. */
const OURS = /(?:^|,)[ \t]*(?:basic|bearer)(?=[ \t,]|$)/i;

/** The first scheme of a field that binds a connection; undefined where there is none. */
export function bindingScheme(fields: Fields, name: string): string | undefined {
  if (!fields.has(name)) return undefined;
  for (const value of fields.all(name)) {
    const scheme = BINDING.exec(value)?.[1];
    if (scheme) return scheme.toLowerCase() === "ntlm" ? "NTLM" : "Negotiate";
  }
  return undefined;
}

/** Whether an origin may have let a connection in by this request, or begins to. */
export function bindsConnection(request: RequestHead, response: ResponseHead): boolean {
  return bindingScheme(response.fields, "www-authenticate") !== undefined ||
    bindingScheme(request.fields, "authorization") !== undefined;
}

/** The scheme that a proxy asks for where it takes none that this proxy speaks. */
export function foreignScheme(fields: Fields): string | undefined {
  if (fields.all("proxy-authenticate").some((value) => OURS.test(value))) return undefined;
  return bindingScheme(fields, "proxy-authenticate");
}
