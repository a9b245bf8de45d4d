/**
 * TLS: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    { heading: "Listeners" },
    { lines: `sluice --users-file users -l 'auto+tls://0.0.0.0:8443?cert=c.pem&key=k.pem'` },
    "+tls behind any scheme of a listener puts everything over TLS. A client such as curl --proxy https://HOST:8443 " +
    "speaks to it.",
    {
      terms: [
        [
          "cert=FILE&key=FILE",
          "The certificates in PEM, the server's own first, and its private key. Both may be " +
          "repeated: the client's SNI chooses",
        ],
        ["client-ca=FILE", "Clients must have a certificate that one of these has signed"],
        ["min-tls=1.3", "The oldest version that is spoken; 1.2 where it is left out"],
      ],
    },
    "SIGHUP reads certificates anew. One that cannot be used changes nothing.",
    { heading: "Upstreams" },
    { lines: `sluice -x 'https://proxy.example?ca=company.pem'` },
    {
      terms: [
        ["ca=FILE", "The authorities to trust, in place of the usual ones"],
        ["pin=sha256/...", "Trusts this public key (RFC 7469) and nothing else: no name, no authority"],
        ["name=HOST", "The name that the certificate must have, in place of the host's"],
        ["cert=FILE&key=FILE", "What sluice shows to an upstream that asks who it is"],
        ["min-tls=1.3", "The oldest version that is spoken; 1.2 where it is left out"],
      ],
    },
    "TLS between a client and its target goes through a tunnel as it is. sluice does not open it.",
  ],
};
