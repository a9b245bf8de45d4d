/**
 * Time limits: a page of `sluice help`.
 *
 * @module
 */

import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "A time is a number with ms, s, m, h or d, or a number of seconds.",
    { heading: "Dead peers" },
    "A tunnel or a request ends when nothing has moved for --idle-timeout. It ends earlier, after --stall-timeout, " +
    "while bytes wait for a peer that takes none of them and nothing else moves; the end may come a tenth later. A live " +
    "reader that pauses looks the same. So does a slow one: it has to take about 2 MB in that time over loopback, since " +
    "the system tells of room in its buffers in such steps. Give a longer time to such readers.",
    "What the system has taken to send counts as sent. Bun and Node also probe silent peers after 15 seconds. Deno " +
    "cannot: the system's own probes begin after two hours.",
    { heading: "Library" },
    "createProxy takes the same in milliseconds, as timeouts.connect, timeouts.idle and so on.",
  ],
  groups: ["Timeouts"],
};
