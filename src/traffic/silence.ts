/**
 * Silent connections: the deadlines that count from the last byte that moved, and how to tell a vanished peer from a
 * silent one.
 *
 * No runtime can set TCP_USER_TIMEOUT, and a system sends no keep-alive probes while bytes are not acknowledged. So
 * each connection's unsent bytes are compared now and then, and moving bytes cost nothing.
 *
 * @module
 */

import { formatDuration } from "../text/duration.ts";
import { Fault, type Party } from "../faults.ts";
import type { Deadline } from "../states.ts";

/** The deadlines that count from the last byte that moved. */
export type DeadlineOfSilence = "idle" | "halfClosed";

/** Whether a deadline counts from the last byte that moved. */
export function isOfSilence(deadline: Deadline): deadline is DeadlineOfSilence {
  return deadline === "idle" || deadline === "halfClosed";
}

/** How often a silent connection is looked at before its time is over. */
const LOOKS = 10;

/** When to look next. The times are the same for all connections, so that the timer rarely fires. */
export function nextLook(now: number, patience: number): number {
  const interval = patience / LOOKS;
  return (Math.floor(now / interval) + 1) * interval;
}

/** The fault for a peer that takes none of the bytes that wait for it. */
export function stalled(who: "client" | Party, time: number): Fault {
  const what = `has taken none of the bytes that wait for it in ${formatDuration(time)}`;
  return who === "client"
    ? new Fault("client_timeout", `The client ${what}`)
    : new Fault("connection_write_timeout", `The ${who} ${what}`, { party: who });
}
