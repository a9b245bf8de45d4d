/**
 * Turns names as people write them into the form that they have on the wire.
 *
 * @module
 */

import { parseHost, withoutRoot } from "./host.ts";

/** Only characters that a name may have, and that have no other meaning in a URL. */
const PERHAPS_NAME = /^[\w.\u0080-\u{10FFFF}-]+$/u;

/**
 * A name as requests have it: in lower case, without the root's dot, and with A-labels for internationalized labels
 * (RFC 5890). `Bücher.example.` becomes `xn--bcher-kva.example`. Undefined if the text is not a host.
 */
export function asciiName(text: string): string | undefined {
  const host = parseHost(text);
  if (host !== undefined) return withoutRoot(host.toLowerCase());
  const encoded = PERHAPS_NAME.test(text) ? encodeName(text) : undefined;
  return encoded === undefined ? undefined : parseHost(withoutRoot(encoded));
}

function encodeName(text: string): string | undefined {
  try {
    return new URL(`http://${text}`).hostname;
  } catch {
    return undefined;
  }
}
