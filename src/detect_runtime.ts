/**
 * Which adapter serves the runtime that we are in. The one file that names the adapters.
 *
 * @module
 */

import type { Runtime } from "./runtime/contract.ts";

/** The adapter for this runtime. Literal imports, so that bundlers and the npm build find all three. */
export async function detectRuntime(): Promise<Runtime> {
  if ("Deno" in globalThis) return (await import("../adapters/deno.ts")).createRuntime();
  if ("Bun" in globalThis) return (await import("../adapters/bun.ts")).createRuntime();
  return (await import("../adapters/node.ts")).createRuntime();
}
