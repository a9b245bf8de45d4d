/**
 * Chooses the adapter for the runtime that we run on. Only this file names the adapters.
 *
 * @module
 */

import type { Runtime } from "./runtime/contract.ts";

/** Loads the adapter for this runtime. The imports are literal, so that bundlers and the npm build find all three. */
export async function detectRuntime(): Promise<Runtime> {
  if ("Deno" in globalThis) return (await import("../adapters/deno.ts")).createRuntime();
  if ("Bun" in globalThis) return (await import("../adapters/bun.ts")).createRuntime();
  return (await import("../adapters/node.ts")).createRuntime();
}
