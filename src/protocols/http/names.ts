/**
 * The field names of everyday, in lower case: one string for each, found without making another.
 *
 * @module
 */

/** All of them. */
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

/** Found by trial, so that no two of them share a slot. */
const [SLOTS, FACTOR] = [2048, 67];

const TABLE: (string | undefined)[] = new Array(SLOTS).fill(undefined);
for (const name of KNOWN_NAMES) {
  let slot = 0;
  for (let i = 0; i < name.length; i++) slot = nextSlot(slot, name.charCodeAt(i));
  TABLE[slot] = name;
}

/** Goes on, from 0, with a character of a name in lower case; behind the last one it is where the name is looked for. */
export function nextSlot(slot: number, lower: number): number {
  return (slot * FACTOR + lower) & (SLOTS - 1);
}

/** The name in lower case whose octets those are, if it is known. */
export function knownName(
  octets: Uint8Array,
  { start, end, slot }: { readonly start: number; readonly end: number; readonly slot: number },
): string | undefined {
  const name = TABLE[slot];
  if (name === undefined || name.length !== end - start) return undefined;
  // 0x20 makes an upper-case letter one in lower case, and no other character of a token a letter or a hyphen.
  for (let i = 0; i < name.length; i++) {
    if ((octets[start + i] | 0x20) !== name.charCodeAt(i)) return undefined;
  }
  return name;
}
