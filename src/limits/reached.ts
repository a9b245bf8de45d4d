/**
 * The fault for a request that has reached a limit, in words for the person at the client.
 *
 * @module
 */

import { Fault } from "../faults.ts";
import type { LimitTerms } from "../policy/limit_amount.ts";
import type { LimitRule } from "../policy/rule.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** The fault. `wait` is after how many milliseconds it is worth trying again; `now` is the date. */
export function limitReached(
  limit: LimitRule,
  { wait, now }: { readonly wait: number; readonly now: Date },
): Fault {
  return new Fault("request_limited", `Beyond the limit "${limit.text}" (${limit.origin})`, {
    happened: `A limit of this proxy is reached: ${inWords(limit.terms)}.`,
    advice: `Try again ${when(wait, now)}.`,
    retryAfter: Math.max(1, Math.ceil(wait / 1_000)),
  });
}

/** What a limit allows, without its condition: the client need not know how others are limited. */
export function inWords({ text, per }: LimitTerms): string {
  return per === undefined ? text : text.replace(` per ${per}`, ` for each ${per}`);
}

function when(wait: number, now: Date): string {
  if (wait < 2 * MINUTE) return `in ${Math.max(1, Math.ceil(wait / 1_000))} s`;
  if (wait < 2 * HOUR) return `in ${Math.ceil(wait / MINUTE)} minutes`;
  const [day, time] = new Date(now.getTime() + wait).toISOString().split("T");
  return `on ${day} at ${time.slice(0, 5)} UTC`;
}
