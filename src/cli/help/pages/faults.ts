/**
 * Faults: a page of `sluice help`.
 *
 * @module
 */

import { FAULTS } from "../../../fault_table.ts";
import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "Each failure has one name. The access log, the metrics and the library use it, and so does the answer's " +
    "Proxy-Status field where the name is one of RFC 9209. An HTTP client is told a status, a SOCKS5 client a reply. " +
    "SOCKS4 has one reply to all of them, 5B.",
    {
      terms: Object.entries(FAULTS).map(([code, { status, socks5, happened }]) =>
        [code, `${happened} HTTP ${status}, SOCKS5 0${socks5}`] as const
      ),
    },
    "Where it was the next proxy that failed, and not the target, the words say so.",
  ],
};
