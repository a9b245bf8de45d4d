/**
 * What signals ask the program to do.
 *
 * @module
 */

import process from "node:process";
import { isatty } from "node:tty";
import { SYSTEM_CLOCK } from "../../runtime/clock.ts";

/** The signals that ask to stop, each with the exit code that it causes: 128 plus its number, as in shells. */
export const STOP_SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** The name of a signal that asks to stop. */
export type StopSignal = keyof typeof STOP_SIGNALS;

/** How long the last records may take after the second signal, in milliseconds. */
const LAST_WORDS = 5_000;

/** How long after SIGHUP the program looks whether its terminal has closed, in milliseconds. */
const CLOSING = 1_000;

/** The requests of signals. */
export interface Signals {
  /** Settles at the first signal that asks to stop. */
  readonly stop: Promise<StopSignal>;
  /** Settles at the second one. The third ends the process. */
  readonly stopNow: Promise<StopSignal>;
  /** Calls back at each SIGHUP that asks to reload files. */
  onReload(callback: () => void): void;
  /** Calls back at each SIGHUP of that kind and at each SIGUSR1: both ask to reopen logs. */
  onReopen(callback: () => void): void;
}

/**
 * Listens for signals.
 *
 * The system also sends SIGHUP when a terminal closes. A program that was started on that terminal then stops, as other
 * programs do. If the program was started without a terminal (a service, nohup), SIGHUP never asks it to stop. Windows
 * has neither SIGHUP nor SIGUSR1.
 *
 * Call it before anything listens: Deno dies when it runs out of descriptors without a signal listener.
 */
export function watchSignals(): Signals {
  const asked: ((signal: StopSignal) => void)[] = [];
  const stop = new Promise<StopSignal>((resolve) => asked.push(resolve));
  const stopNow = new Promise<StopSignal>((resolve) => asked.push(resolve));
  const onReload: (() => void)[] = [];
  const onReopen: (() => void)[] = [];
  const ask = (signal: StopSignal): void => {
    const next = asked.shift();
    if (!next) process.exit(STOP_SIGNALS[signal]);
    // The second signal ends the program even if its last records are not written in time.
    if (asked.length === 0) SYSTEM_CLOCK.schedule(LAST_WORDS, () => process.exit(STOP_SIGNALS[signal]));
    next(signal);
  };
  const onTerminal = hasTerminal();
  const hasLostTerminal = (): boolean => onTerminal && !hasTerminal();
  let hungUp = false;
  /** When a terminal closes, the system and a shell may each send SIGHUP. Only the first counts. */
  const hangUp = (): void => {
    if (!hungUp) ask("SIGHUP");
    hungUp = true;
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ask(signal));
  if (process.platform !== "win32") {
    process.on("SIGHUP", () => {
      // A command that has nothing to reload stops at SIGHUP, as programs do by default.
      if (onReload.length === 0 || hasLostTerminal()) return hangUp();
      for (const callback of [...onReopen, ...onReload]) callback();
      // A terminal emulator such as xterm may send SIGHUP first and close the terminal later. The close itself sends no
      // signal to a background job.
      if (onTerminal) SYSTEM_CLOCK.schedule(CLOSING, () => hasLostTerminal() && hangUp());
    });
    process.on("SIGUSR1", () => {
      for (const callback of onReopen) callback();
    });
  }
  return {
    stop,
    stopNow,
    onReload: (callback) => void onReload.push(callback),
    onReopen: (callback) => void onReopen.push(callback),
  };
}

/** Whether a standard descriptor is a terminal. False once the terminal has closed: tcgetattr(3) then fails. */
function hasTerminal(): boolean {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
