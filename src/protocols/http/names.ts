/**
 * Common field names in lower case. Looking one up makes no new string.
 *
 * @module
 */

/** All common names. */
export const KNOWN_NAMES: readonly string[] =
  `accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
  access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers
  access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc authorization
  cache-control connection content-disposition content-encoding content-language content-length content-location
  content-range content-security-policy content-type cookie date dnt etag expect expires forwarded from host if-match
  if-modified-since if-none-match if-range if-unmodified-since keep-alive last-modified link location max-forwards
  origin permissions-policy pragma priority proxy-authenticate proxy-authentication-info proxy-authorization
  proxy-connection proxy-status range referer referrer-policy retry-after sec-ch-ua sec-ch-ua-mobile
  sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-accept
  sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version server set-cookie
  strict-transport-security te timing-allow-origin trailer transfer-encoding upgrade upgrade-insecure-requests
  user-agent vary via www-authenticate x-content-type-options x-forwarded-for x-forwarded-host x-forwarded-proto
  x-frame-options x-powered-by x-request-id x-requested-with x-xss-protection`.split(/\s+/);

/** Found by trial: with these, no two names share a slot. */
const [SLOTS, FACTOR] = [2048, 67];

const TABLE: (string | undefined)[] = new Array(SLOTS).fill(undefined);
for (const name of KNOWN_NAMES) {
  let slot = 0;
  for (let i = 0; i < name.length; i++) slot = nextSlot(slot, name.charCodeAt(i));
  TABLE[slot] = name;
}

/**
 * Adds a character of a name in lower case to a slot; begin with 0. After the last character, the name is in that slot.
 */
export function nextSlot(slot: number, lower: number): number {
  return (slot * FACTOR + lower) & (SLOTS - 1);
}

/** The common name that these octets spell, in lower case. Undefined if they spell none. */
export function knownName(
  octets: Uint8Array,
  { start, end, slot }: { readonly start: number; readonly end: number; readonly slot: number },
): string | undefined {
  const name = TABLE[slot];
  if (name === undefined || name.length !== end - start) return undefined;
  // 0x20 turns an upper-case letter into lower case. It turns no other character of a token into a letter or a hyphen.
  for (let i = 0; i < name.length; i++) {
    if ((octets[start + i] | 0x20) !== name.charCodeAt(i)) return undefined;
  }
  return name;
}
