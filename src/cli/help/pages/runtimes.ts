/**
 * Runtimes: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    {
      terms: [
        ["Deno 2.9", "deno run -N mod.ts"],
        ["Bun 1.4", "bun run src/main.ts"],
        ["Node 20 or later", "sluice, from the npm package"],
      ],
    },
    "Deno asks for permissions; Bun and Node need none.",
    {
      terms: [
        ["-N", "To talk to the network"],
        ["-R", "To read files: users, rules, certificates; and for workers"],
        ["-R -W", "For Unix sockets and log files"],
        ["-E", "For SLUICE_* variables"],
        ["-S networkInterfaces", "To know this machine's own addresses before dialing"],
      ],
    },
    { heading: "What a runtime cannot do" },
    {
      terms: [
        [
          "Deno",
          "Its workers are threads. It cannot tell the limit of descriptors with -N alone, nor probe silent peers",
        ],
        ["Bun", "Over TLS it can send nothing behind the peer's end of writing"],
      ],
    },
  ],
};
