/**
 * Names as people write them, in the one form that they have on the wire.
 *
 * @module
 */

import { parseHost, withoutRoot } from "./host.ts";

/** What may stand in a URL for a name without meaning anything else there. */
const PERHAPS_NAME = /^[\w.\u0080-\u{10FFFF}-]+$/u;

/**
 * A name as requests have it: in lower case, without the root's dot, an internationalized label as its A-label
 * (RFC 5890), so that `Bücher.example.` is `xn--bcher-kva.example`. Undefined for what is no host.
 */
export function asciiName(text: string): string | undefined {
  const host = parseHost(text) ?? (PERHAPS_NAME.test(text) ? encodeName(text) : undefined);
  return host === undefined ? undefined : parseHost(withoutRoot(host.toLowerCase()));
}

function encodeName(text: string): string | undefined {
  try {
    return new URL(`http://${text}`).hostname;
  } catch {
    return undefined;
  }
}
