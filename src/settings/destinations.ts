/**
 * Where clients may go whatever the rules say: what the core reads, and the rows of the options that say so.
 *
 * @module
 */

import { oneOf } from "./kinds.ts";
import { LIBRARY_ONLY, type OptionsOf } from "./option.ts";

/** What the core reads of destinations. */
export interface DestinationSettings {
  /**
   * Whether clients may reach private, loopback, link-local and other addresses that the public internet does not
   * have. By default they may not where a listener is exposed (see `allowOpen`), and may otherwise: programs of this
   * machine can go there anyway.
   */
  readonly privateDestinations: "allow" | "deny";
}

/** The rows. */
export const DESTINATION_OPTIONS = {
  "private-destinations": {
    ...oneOf(["allow", "deny"]),
    group: "Destinations",
    value: "MODE",
    help: "Whether clients may reach private, loopback and link-local addresses",
    unset: "denied where others than the user of this machine can come",
    commands: LIBRARY_ONLY,
    setting: "privateDestinations",
    reload: false,
  },
} as const satisfies OptionsOf<keyof DestinationSettings>;
