/**
 * What a page of `sluice help TOPIC` is made of. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Group } from "../../../settings/option.ts";

/** Terms with what each means. */
export type Terms = readonly (readonly [term: string, meaning: string])[];

/** A part of a page. */
export type Part =
  /** A paragraph, in one line or several: its lines are broken anew. */
  | string
  | { readonly heading: string }
  /** Lines that stay as they are: commands, files, records. */
  | { readonly lines: string }
  | { readonly terms: Terms };

/** The text of a topic. */
export interface Page {
  readonly parts: readonly Part[];
  /** The options that belong to it, which are listed at its end. */
  readonly groups?: readonly Group[];
}
