/**
 * Connections on which nothing moves: which deadlines count from the last byte that moved, and what tells a peer that has
 * vanished from one that is silent.
 *
 * No runtime can set TCP_USER_TIMEOUT, and a system sends no keep-alive probes while bytes are not acknowledged. So it is
 * looked at now and then what waits to be sent, which costs nothing while bytes move.
 *
 * @module
 */

import { formatDuration } from "../text/duration.ts";
import { Fault, type Party } from "../faults.ts";
import type { Deadline } from "../states.ts";

/** The deadlines that count from the last byte that moved. */
export type DeadlineOfSilence = "idle" | "halfClosed";

/** Whether a deadline is one of them. */
export function isOfSilence(deadline: Deadline): deadline is DeadlineOfSilence {
  return deadline === "idle" || deadline === "halfClosed";
}

/** How many looks there are at a silence before it has lasted too long. */
const LOOKS = 10;

/** When to look next. All connections are looked at in the same moments, so that the timer rarely fires. */
export function nextLook(now: number, patience: number): number {
  const interval = patience / LOOKS;
  return (Math.floor(now / interval) + 1) * interval;
}

/** What it is when a peer takes none of the bytes that wait for it. */
export function stalled(who: "client" | Party, time: number): Fault {
  const what = `has taken none of the bytes that wait for it in ${formatDuration(time)}`;
  return who === "client"
    ? new Fault("client_timeout", `The client ${what}`)
    : new Fault("connection_write_timeout", `The ${who} ${what}`, { party: who });
}
