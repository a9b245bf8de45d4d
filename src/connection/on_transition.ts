/**
 * The hook that sees every transition. Types and prose; nothing here runs.
 *
 * @module
 */

import type { Event, State } from "../states.ts";

/** A hook that sees every transition of every connection; for metrics and tests. */
export type OnTransition = (transition: { id: string; from: State; event: Event; to: State }) => void;
