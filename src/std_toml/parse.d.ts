/**
 * The type of `parse.ts`, which the mirror lacks.
 *
 * @module
 */

/** Parses TOML. Throws a `SyntaxError` whose message names line and column. */
export function parse(text: string): Record<string, unknown>;
