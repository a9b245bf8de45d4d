/**
 * The schemes of URIs.
 *
 * @module
 */

/** An endpoint with its scheme, and a `unix:` behind it, in small letters: case means nothing there (RFC 3986 section 3.1). */
export function lowerScheme(text: string): string {
  return text.replace(/^(?:[^:/?@]*:\/\/)?(?:unix:)?/i, (scheme) => scheme.toLowerCase());
}
