/**
 * A pair: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "A pair is a proxy in two halves. The local half serves programs of this machine. The remote half, elsewhere, " +
    "reaches the targets.",
    {
      lines: `sluice keygen proxy.example.com
    makes certificate, key and token, and prints the two commands
sluice remote
    there: TLS 1.3, and to strangers a web server without pages
sluice local --remote proxy.example.com:8443
    here, with SLUICE_PIN in the environment, as keygen has printed it`,
    },
    "The local half trusts the one key that is pinned, and shows its token to that key alone. The remote half decides " +
    "where traffic may go. It refuses private addresses unless --allow-private says otherwise.",
    "On the wire it is CONNECT over TLS with a bearer token (Proxy-Authorization: Bearer), so either half can be another " +
    "program. The remote half takes several tokens, one to a line of its token file, so that one can be replaced.",
  ],
  groups: ["Pair"],
};
