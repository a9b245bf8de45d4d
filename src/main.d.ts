/**
 * The types of `main.ts` for `mod.ts`: there are none. So a file elsewhere that imports `mod.ts` is checked without the
 * command line, whose imports only this project's `deno.json` knows.
 *
 * @module
 */

export {};
