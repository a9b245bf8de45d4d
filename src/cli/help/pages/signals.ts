/**
 * Signals: a page of `sluice help`.
 *
 * @module
 */

import type { Option } from "../../../settings/option.ts";
import { FLAGS } from "../../flags/flags.ts";
import type { Page } from "./page.ts";

/** The flags whose files a running proxy reloads. */
const READ_ANEW = Object.entries<Option>(FLAGS)
  .filter(([, { reload, setting }]) => reload && setting === undefined)
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
    "SIGHUP reads the users, the rules and the certificates anew: all of them or, where one cannot be used, none. The " +
    "log says what is wrong. What is under way goes on, but for users who were removed or have another password; " +
    "--keep-tunnels leaves those, too.",
    `Of the flags, these name what is read anew: ${READ_ANEW.join(", ")}.`,
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
