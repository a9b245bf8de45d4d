/**
 * The signals that ask the program to stop.
 *
 * @module
 */

import process from "node:process";

/** The signals, and the exit code of a process that they end at once: 128 and their number, as shells have it. */
export const STOP_SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** The name of a signal that asks to stop. */
export type StopSignal = keyof typeof STOP_SIGNALS;

/**
 * Settles at the first signal that asks to stop. The second one ends the process.
 *
 * Called before anything listens: Deno dies when it runs out of descriptors, unless it has a signal listener by then.
 */
export function stopSignal(): Promise<StopSignal> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of Object.keys(STOP_SIGNALS) as StopSignal[]) {
      process.on(signal, () => {
        if (asked) process.exit(STOP_SIGNALS[signal]);
        asked = true;
        resolve(signal);
      });
    }
  });
}

/** Calls back at each SIGHUP, by which daemons are told to read their files anew. Windows has none. */
export function onHangUp(callback: () => void): void {
  if (process.platform !== "win32") process.on("SIGHUP", callback);
}
