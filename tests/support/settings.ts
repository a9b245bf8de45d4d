/**
 * Settings for units under test.
 *
 * @module
 */

import { completeSettings, type Settings, type SettingsOptions } from "../../src/settings/settings.ts";

/** The defaults, with the test's own options. */
export function settingsWith(options: SettingsOptions = {}): Settings {
  return completeSettings({ name: "test", privateDestinations: "allow", ...options } as Settings);
}
