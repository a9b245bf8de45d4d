/**
 * sluice: one port, every proxy protocol, every JavaScript runtime.
 *
 * Imported, it is the library. Run with `deno run -N mod.ts`, it is the proxy.
 *
 * @module
 */

export * from "./src/lib.ts";

// Users of the library need no command line, so only the program loads it.
if (import.meta.main) import("./src/main.ts");
