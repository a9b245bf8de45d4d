/**
 * Settings of the tests, for units that are given them.
 *
 * @module
 */

import { completeSettings, type Settings, type SettingsOptions } from "../../src/settings/settings.ts";

/** The defaults, with what a test says otherwise. */
export function settingsWith(options: SettingsOptions = {}): Settings {
  return completeSettings({ name: "test", privateDestinations: "allow", ...options } as Settings);
}
