/**
 * The version, as `deno.json` has it. Importing it from there prints a warning on Node 20 and 22.
 *
 * @module
 */

/** This release. */
export const VERSION = "0.1.0";
