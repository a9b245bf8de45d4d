/**
 * The type of `parse.ts`, which the mirror lacks.
 *
 * @module
 */

/** Parses JSON with comments. Throws a `SyntaxError` whose message names the position. */
export function parse(text: string): unknown;
