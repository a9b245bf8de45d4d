/**
 * sluice: one port, every proxy protocol, every JavaScript runtime.
 *
 * As a module it is the library; run (`deno run -N mod.ts`) it is the proxy.
 *
 * @module
 */

export * from "./src/lib.ts";

// The library does without the command line, so it is loaded only here.
if (import.meta.main) import("./src/main.ts");
