/**
 * Which destinations clients may reach, whatever the rules say: the setting that the core reads, and its option.
 *
 * @module
 */

import { oneOf } from "./kinds.ts";
import { LIBRARY_ONLY, type OptionsOf } from "./option.ts";

/** The settings about destinations. */
export interface DestinationSettings {
  /**
   * Whether clients may reach private, loopback, link-local and other addresses that the public internet does not
   * have. The default is "deny" if a listener is exposed (see `allowOpen`). Otherwise it is "allow", because programs of
   * this machine can reach them without the proxy.
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
    reload: true,
  },
} as const satisfies OptionsOf<keyof DestinationSettings>;
