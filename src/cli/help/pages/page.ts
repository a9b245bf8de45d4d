/**
 * The types of a page of `sluice help TOPIC`.
 *
 * @module
 */

import type { Group } from "../../../settings/option.ts";

/** Terms, each with its meaning. */
export type Terms = readonly (readonly [term: string, meaning: string])[];

/** A part of a page. */
export type Part =
  /** A paragraph. Its line breaks do not count: it is wrapped again. */
  | string
  | { readonly heading: string }
  /** Lines that stay as they are: commands, files, records. */
  | { readonly lines: string }
  | { readonly terms: Terms };

/** The text of a topic. */
export interface Page {
  readonly parts: readonly Part[];
  /** The groups of options that the page lists at its end. */
  readonly groups?: readonly Group[];
}
