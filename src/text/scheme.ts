/**
 * The schemes of URIs.
 *
 * @module
 */

/** Writes the scheme of an endpoint, and `unix:` after it, in lower case: case means nothing (RFC 3986 section 3.1). */
export function lowerScheme(text: string): string {
  return text.replace(/^(?:[^:/?@]*:\/\/)?(?:unix:)?/i, (scheme) => scheme.toLowerCase());
}
