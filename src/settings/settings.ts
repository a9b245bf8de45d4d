/**
 * The settings of a proxy: one immutable value, complete and checked. Connections read it, and a reload replaces it whole.
 *
 * @module
 */

import { DESTINATION_OPTIONS, type DestinationSettings } from "./destinations.ts";
import { DEFAULT_HTTP, HTTP_OPTIONS, type HttpSettings } from "./http.ts";
import { DEFAULT_LIMITS, LIMIT_OPTIONS, type Limits } from "./limits.ts";
import { DEFAULT_TIMEOUTS, TIMEOUT_OPTIONS, type Timeouts } from "./timeouts.ts";

/** The settings that a caller may give. A setting that is left out or undefined has its default. */
export interface SettingsOptions extends Partial<HttpSettings>, Partial<DestinationSettings> {
  /** Time limits in milliseconds. */
  readonly timeouts?: Partial<Timeouts>;
  /** How much clients and servers may use. */
  readonly limits?: Partial<Limits>;
}

/** The settings. */
export interface Settings extends HttpSettings, DestinationSettings {
  readonly name: string;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
}

/** The rows of all settings. */
export const SETTINGS_OPTIONS = {
  ...HTTP_OPTIONS,
  ...DESTINATION_OPTIONS,
  ...TIMEOUT_OPTIONS,
  ...LIMIT_OPTIONS,
} as const;

/** Adds the defaults of settings that are not given. */
export function completeSettings(
  options: SettingsOptions & Pick<Settings, "name" | "privateDestinations">,
): Settings {
  return {
    ...merge(DEFAULT_HTTP, options),
    name: options.name,
    privateDestinations: options.privateDestinations,
    timeouts: merge(DEFAULT_TIMEOUTS, options.timeouts),
    limits: merge(DEFAULT_LIMITS, options.limits),
  };
}

/** Takes the given value of each name, or else its default. */
function merge<Values extends object>(defaults: Values, given: Partial<Values> = {}): Values {
  const names = Object.keys(defaults) as (keyof Values)[];
  return Object.fromEntries(names.map((name) => [name, given[name] ?? defaults[name]])) as Values;
}
