/**
 * The hook that sees every transition. Types and prose; nothing here runs.
 *
 * @module
 */

/**
 * A hook that sees every transition of every connection and of its requests, for metrics and tests. `id` names the
 * connection. The names of states and events are those in the tables of `src/states.ts`.
 */
export type OnTransition = (
  transition: { readonly id: string; readonly from: string; readonly event: string; readonly to: string },
) => void;
