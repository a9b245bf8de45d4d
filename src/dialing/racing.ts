/**
 * Happy Eyeballs: races several addresses of one target against each other (RFC 8305 sections 4, 5 and 8).
 *
 * @module
 */

import type { Clock } from "../runtime/clock.ts";
import { Fault, toFault } from "../faults.ts";

/** RFC 8305 section 8, Connection Attempt Delay: when the next attempt joins the current ones, in milliseconds. */
const ATTEMPT_DELAY = 250;

/** The fault that ends the slower attempts. */
const LOST = new Fault("connection_terminated", "Another address was faster");

/** The options of a race. */
export interface RaceOptions<T> {
  /** One attempt. It rejects soon after its signal is aborted. */
  readonly attempt: (host: string, signal: AbortSignal) => Promise<T>;
  /** Closes a connection that came too late. */
  readonly release: (late: T) => void;
  readonly clock: Pick<Clock, "schedule">;
  /** Aborting it ends the race with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Tries the hosts in their order. Each joins after a delay, or as soon as another one has failed. The first to
 * connect wins, and the others are closed. If all have failed, throws a `Fault` that lists the attempts.
 */
export function race<T>(hosts: readonly string[], options: RaceOptions<T>): Promise<T> {
  const { attempt, release, clock, signal } = options;
  const running = new Set<AbortController>();
  const faults: Fault[] = [];
  let started = 0;
  let over = false;
  let cancelNext = () => {};
  return new Promise((resolve, reject) => {
    const abort = () => end(() => reject(signal.reason));
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    else start();

    function end(settle: () => void): void {
      over = true;
      cancelNext();
      signal.removeEventListener("abort", abort);
      for (const loser of running) loser.abort(LOST);
      settle();
    }

    function start(): void {
      cancelNext();
      if (started === hosts.length) {
        if (running.size === 0) end(() => reject(combined(faults)));
        return;
      }
      const host = hosts[started++];
      if (started < hosts.length) cancelNext = clock.schedule(ATTEMPT_DELAY, start);
      run(host);
    }

    async function run(host: string): Promise<void> {
      const controller = new AbortController();
      running.add(controller);
      try {
        const won = await attempt(host, controller.signal);
        running.delete(controller);
        if (over) release(won);
        else end(() => resolve(won));
      } catch (error) {
        running.delete(controller);
        faults.push(toFault(error));
        if (!over) start();
      }
    }
  });
}

function combined(faults: readonly Fault[]): Fault {
  const last = faults[faults.length - 1];
  return new Fault(last.code, faults.map(({ message }) => message).join("; "), { cause: last });
}

/** RFC 8305 section 4: the families alternate, beginning with that of the first host. Each keeps its order. */
export function interleaved(hosts: readonly string[]): string[] {
  const isFirstFamily = (host: string) => host.includes(":") === hosts[0]?.includes(":");
  const [first, second] = [hosts.filter(isFirstFamily), hosts.filter((host) => !isFirstFamily(host))];
  return first.flatMap((host, i) => second[i] === undefined ? [host] : [host, second[i]])
    .concat(second.slice(first.length));
}
