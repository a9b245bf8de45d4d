/**
 * Counts the promises that a program on Node makes: `node --import promises.ts PROGRAM`. At each SIGUSR2 it tells how many
 * there have been.
 *
 * @module
 */

import { createHook } from "node:async_hooks";
import process from "node:process";

let promises = 0;
createHook({
  init(_id, type) {
    if (type === "PROMISE") promises++;
  },
}).enable();

let asked = 0;
process.on("SIGUSR2", () => console.error(`count ${++asked}: ${promises}`));
