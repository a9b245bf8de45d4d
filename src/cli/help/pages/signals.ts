/**
 * Signals: a page of `sluice help`.
 *
 * @module
 */

import type { Option } from "../../../settings/option.ts";
import { FLAGS } from "../../flags/flags.ts";
import type { Page } from "./page.ts";

/** The flags that a reload does not change. */
const FIXED = Object.entries<Option>(FLAGS)
  .filter(([, { reload }]) => reload === false)
  .map(([name]) => `--${name}`);

/** The page. */
export const page: Page = {
  parts: [
    {
      terms: [
        [
          "SIGINT, SIGTERM",
          "Stops accepting, and lets what is open finish for --drain-timeout. A second one ends it at " +
          "once; the records tell what was cut off",
        ],
        ["SIGUSR1", "Opens the access log anew, and does nothing else"],
        [
          "SIGHUP",
          "Reads files anew, and opens the access log anew. It ends a proxy only where the terminal that it was " +
          "started on has closed",
        ],
      ],
    },
    { heading: "Reading files anew" },
    "SIGHUP takes everything anew: the config file, users, rules, upstreams, limits, times, certificates, tokens. All of " +
    "it or, where something cannot be used, none; the log says what is wrong, with all faults of the config file. POST " +
    '/reload on the admin listener does the same and gives the faults as its answer ("sluice help metrics").',
    "Listeners come and go. New ones are opened before anything else changes; those whose address stays refuse no client; " +
    "those that are gone accept no more, and what is open there may finish.",
    "What is under way goes on, but for users who were removed or have another password, and for what the rules no longer " +
    "allow; --keep-tunnels leaves those, too.",
    `A restart is needed for ${
      FIXED.join(", ")
    }. A reload that would change one of them changes nothing, and names it.`,
    { heading: "Exit codes" },
    {
      terms: [
        ["0", "Stopped when told, or done"],
        ["1", "Failed: an address in use, a check without an answer"],
        ["2", "Wrong usage: a flag, an endpoint or a file that cannot be used. Nothing was started"],
        ["3", '"sluice explain": the target is denied'],
      ],
    },
  ],
};
