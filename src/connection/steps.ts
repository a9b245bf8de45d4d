/**
 * What each state of a connection does: one step per state.
 *
 * A step does the work of its state and returns an event with the payload of the state that the event leads to;
 * everything a state needs travels that way, so nothing is half set. Steps end by themselves: whatever one
 * waits for can be cut from outside (a deadline, a shutdown) and then rejects with a `Fault`, so no
 * step is ever left running behind the next.
 *
 * @module
 */

import { ARRIVING } from "./arriving.ts";
import { ASKING } from "./asking.ts";
import { LEAVING } from "./leaving.ts";
import { SERVING } from "./serving.ts";
import type { Steps } from "./step.ts";

/** State → step. `connection.ts` looks them up. */
export const STEPS: Steps = {
  ...ARRIVING,
  ...ASKING,
  ...SERVING,
  ...LEAVING,
  closed() {
    return Promise.reject(new TypeError("Cannot take a step in the state closed"));
  },
};
