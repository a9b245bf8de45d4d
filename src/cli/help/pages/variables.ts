/**
 * Variables: a page of `sluice help`.
 *
 * @module
 */

import { TOKEN_VARIABLE } from "../../flags/variables.ts";
import type { Page } from "./page.ts";

/** The page. */
export const page: Page = {
  parts: [
    "Every option can be given in the environment: --idle-timeout 1h is SLUICE_IDLE_TIMEOUT=1h. A flag goes before its " +
    "variable, and a variable before the config file. An empty variable is not set.",
    { lines: `SLUICE_IDLE_TIMEOUT=1h deno run -N -E mod.ts` },
    "Several values have commas between them. Upstreams and rules have commas of their own, so semicolons stand between " +
    "those. Variables have no order: their rules are judged behind those of flags, and SLUICE_DENY before SLUICE_ALLOW " +
    "before SLUICE_RULE.",
    `A SLUICE_* variable that no flag knows is refused, but for names that images and packages set, such as ` +
    `SLUICE_VERSION. ${TOKEN_VARIABLE} holds the token of a pair in place of a file.`,
    "Questions about the program (check, explain, keygen, --help) take flags alone.",
  ],
};
