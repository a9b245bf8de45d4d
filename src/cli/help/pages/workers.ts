/**
 * Workers: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    {
      lines: `sluice --workers 4
sluice --workers auto`,
    },
    "Several processes (threads on Deno) serve the same TCP ports. The kernel spreads the clients. One that dies is " +
    "replaced, and all of them drain together. A Unix socket is served by one of them.",
    "One process reads and checks the files for all. A file that cannot be used at SIGHUP changes nothing, for workers " +
    "that are started later neither.",
    "--max-per-client is counted over all workers. Each worker has an equal part of --max-connections and " +
    "--max-attempts, so a worker whose part is used up may refuse a client while another has room.",
    "The pages tell what all workers have done. Deno reads the modules of a thread with -R alone.",
  ],
};
