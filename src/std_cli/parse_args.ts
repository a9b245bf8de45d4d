/**
 * `@std/cli/parse-args`, taken from its mirror on npm for places that do not reach JSR.
 *
 * The version stands in the specifier because Bun installs what it names, without a lock file.
 *
 * @module
 */

// @ts-types="./parse_args.d.ts"
export { parseArgs } from "deno-std@1.4.0/cli/parse_args.js";
