/**
 * `@std/jsonc/parse`, taken from its mirror on npm for places that do not reach JSR. See `std_cli/parse_args.ts`.
 *
 * @module
 */

// @ts-types="./parse.d.ts"
export { parse } from "deno-std@1.4.0/jsonc/parse.js";
