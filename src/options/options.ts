/**
 * Every option of a proxy. The command line and the library's checks come from this one table.
 *
 * @module
 */

import { SETTINGS_OPTIONS } from "../settings/settings.ts";
import { ACCESS_OPTIONS } from "./access.ts";
import { LISTENING_OPTIONS } from "./listening.ts";
import { LOG_OPTIONS } from "./logs.ts";
import { RULE_OPTIONS } from "./rules.ts";
import { UPSTREAM_OPTIONS } from "./upstreams.ts";

/** Name → option. */
export const OPTIONS = {
  ...LISTENING_OPTIONS,
  ...ACCESS_OPTIONS,
  ...UPSTREAM_OPTIONS,
  ...RULE_OPTIONS,
  ...SETTINGS_OPTIONS,
  ...LOG_OPTIONS,
} as const;
