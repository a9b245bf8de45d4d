/**
 * What signals ask the program to do.
 *
 * @module
 */

import process from "node:process";
import { isatty } from "node:tty";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";

/** The signals that ask to stop, and the exit code of a process that they end: 128 and their number, as shells have it. */
export const STOP_SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** The name of a signal that asks to stop. */
export type StopSignal = keyof typeof STOP_SIGNALS;

/** How long the last records may take after the second signal, in milliseconds. */
const LAST_WORDS = 5_000;

/** How much later than SIGHUP a terminal may close, in milliseconds. */
const CLOSING = 1_000;

/** What is asked. */
export interface Signals {
  /** Settles at the first signal that asks to stop. */
  readonly stop: Promise<StopSignal>;
  /** Settles at the second one. The third ends the process. */
  readonly stopNow: Promise<StopSignal>;
  /** Calls back at each SIGHUP that asks to read files anew and to open logs anew. */
  onHangUp(callback: () => void): void;
}

/**
 * Listens for signals.
 *
 * The system sends SIGHUP, too, when a terminal closes. A program that was started on a terminal then stops, as others do:
 * it has a terminal no more. Where it was started without one (a service, nohup), SIGHUP never asks it to stop. Windows has
 * no SIGHUP.
 *
 * Called before anything listens: Deno dies when it runs out of descriptors, unless it has a signal listener by then.
 */
export function watchSignals(): Signals {
  const asked: ((signal: StopSignal) => void)[] = [];
  const stop = new Promise<StopSignal>((resolve) => asked.push(resolve));
  const stopNow = new Promise<StopSignal>((resolve) => asked.push(resolve));
  const callbacks: (() => void)[] = [];
  const ask = (signal: StopSignal): void => {
    const next = asked.shift();
    if (!next) process.exit(STOP_SIGNALS[signal]);
    // The second one ends the program in any case.
    if (asked.length === 0) SYSTEM_CLOCK.schedule(LAST_WORDS, () => process.exit(STOP_SIGNALS[signal]));
    next(signal);
  };
  const onTerminal = hasTerminal();
  const hasLostTerminal = (): boolean => onTerminal && !hasTerminal();
  let hungUp = false;
  /** Both the system and a shell may send SIGHUP when a terminal closes: that is not a second signal. */
  const hangUp = (): void => {
    if (!hungUp) ask("SIGHUP");
    hungUp = true;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ask(signal));
  if (process.platform !== "win32") {
    process.on("SIGHUP", () => {
      // Where nobody listens for it, it does what it does by default.
      if (callbacks.length === 0 || hasLostTerminal()) return hangUp();
      for (const callback of callbacks) callback();
      // A terminal emulator may send SIGHUP first and close the terminal then (xterm), which a background job is not told.
      if (onTerminal) SYSTEM_CLOCK.schedule(CLOSING, () => hasLostTerminal() && hangUp());
    });
  }
  return { stop, stopNow, onHangUp: (callback) => void callbacks.push(callback) };
}

/** Whether one of the standard descriptors is a terminal. None is once the terminal has closed: tcgetattr(3) fails then. */
function hasTerminal(): boolean {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
